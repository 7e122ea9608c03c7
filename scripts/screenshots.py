"""Take docs/page.png and docs/page-message.png, the pictures of the page, from a run of a stack."""

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from scripts.machine import BROWSER, BROWSERS
from scripts.project import ROOT, generated

DOCS = ROOT / "docs"

WIDTH, HEIGHT = 1280, 600

FIELDS = "orderId: str, customer: str, items: list[{sku: str, quantity: int >= 1}], total: float >= 0"

# What goes wrong with orders: a dependency that is away for a moment or for longer, data that is not known.
HANDLE = '''\
class PaymentsUnavailable(Exception):
    """The payment service did not answer."""


def handle(message: NewMessage, delivery: Delivery) -> None:
    time.sleep(0.02 * len(message.items) + message.total / 5_000)
    logger.info("Order %s of %s: %d items", message.order_id, message.customer, len(message.items))
    if message.customer == "unknown":
        raise Reject(f"no customer for order {message.order_id}")
    if message.total > 900 and delivery.receive_count < 3:
        raise RetryLater(1, f"the fraud check of {message.customer} is not done")
    if message.total > 500 and delivery.receive_count == 1:
        charge(message)
    logger.info("Charged %.2f", message.total)


def charge(message: NewMessage) -> None:
    raise PaymentsUnavailable(f"POST /charges for {message.order_id}: 503 Service Unavailable")
'''

IMPORTS = """import time

from shared.delivery import Delivery, Reject, RetryLater
"""

# Customer and total of the orders that are sent; a total of None is a broken message.
ORDERS = [
    *[(name, 20.0 + 7 * n) for n, name in enumerate(("ada", "grace", "alan", "edsger", "barbara", "donald"))],
    ("margaret", 949.0),
    ("unknown", 35.5),
    ("john", None),
    ("radia", 612.4),
    *[(name, 64.0 + 11 * n) for n, name in enumerate(("tim", "frances", "ken", "dennis", "adele", "leslie"))],
]


def main() -> None:
    if not BROWSER:
        sys.exit(f"error: there is no browser; install one of {', '.join(BROWSERS)}")
    with (
        tempfile.TemporaryDirectory() as folder,
        running(generated(Path(folder), IMPORTS, HANDLE, f"message_fields={FIELDS}", "batch_size=4")) as url,
        sync_playwright() as tool,
        tool.chromium.launch(executable_path=BROWSER) as browser,
    ):
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(url)
        send_orders(page)
        take(page, "page.png")
        page.locator(".row", has_text="margaret").click()  # was retried
        page.locator(".step pre").last.scroll_into_view_if_needed()
        take(page, "page-message.png")


@contextmanager
def running(project: Path) -> Iterator[str]:
    """Run a project's stack during a `with` statement, and yield the address of its page."""
    command = [sys.executable, "-m", "sqskit", "local", "--plain"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            lines = []
            for line in process.stdout or ():
                lines.append(line)
                if found := re.match("Watch it at (.+)", line):
                    yield found[1]
                    return
            sys.exit(f"{''.join(lines)}the stack did not start")
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)


def send_orders(page: Page) -> None:
    """Send the orders with the form, and wait until all but one are settled."""
    page.click("#compose")
    for n, (customer, total) in enumerate(ORDERS, start=1):
        items = ", ".join(f'{{"sku": "SKU-{100 + n + item}", "quantity": {item + 1}}}' for item in range(1 + n % 3))
        body = f'{{"orderId": "order-{1000 + n}", "customer": "{customer}", "items": [{items}], "total": {total or 0}}}'
        page.fill("[name=body]", body)
        page.click("#broken" if total is None else "#send")
    page.click("#compose")
    page.locator("#states [data-state=dead] span", has_text="2").wait_for()
    page.locator("#states [data-state=done] span", has_text=str(len(ORDERS) - 3)).wait_for()


def take(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.screenshot(path=DOCS / name)
    print(f"docs/{name} written")


if __name__ == "__main__":
    main()
