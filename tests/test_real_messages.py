"""Messages as they are on real queues: pasted as a sample, and typed as a line with types as narrow as can be."""

import json
import re
from collections.abc import Callable

import msgspec
import pytest

from local_extensions.output.json_schema import DIALECT, json_schema
from local_extensions.output.python import annotation
from scripts.machine import RUNTIME
from tests.support.messages import class_of, message_of
from tests.support.projects import ROOT, Bake, Project
from tests.test_fields import check_line

MESSAGES = {path.stem: path.read_text("utf-8") for path in sorted((ROOT / "tests" / "messages").glob("*.json"))}

LINES = {
    "avro_order": "branch: str, product: str, quantity: int >= 1, orderDate: int >= 0, id: str",
    "dead_record": "error: str, record: str, sequence_number: str, timestamp: str",
    "dynamodb_record": """
        eventID: str, eventVersion: str, awsRegion: str, eventName: "INSERT" | "MODIFY" | "REMOVE", eventSourceARN: str,
        eventSource: "aws:dynamodb", dynamodb: {ApproximateCreationDateTime: float, Keys: dict[str, dict[str, any]],
        NewImage: dict[str, dict[str, any]] | None = None, OldImage: dict[str, dict[str, any]] | None = None,
        StreamViewType: "KEYS_ONLY" | "NEW_IMAGE" | "OLD_IMAGE" | "NEW_AND_OLD_IMAGES", SequenceNumber: str,
        SizeBytes: int >= 0}""",
    "eb_s3_created": """
        version: str, id: UUID, "detail-type": str, source: str, account: str[12], time: datetime, region: str,
        resources: list[str], detail: {version: str, bucket: {name: str}, object: {key: str, size: int >= 0, etag: str,
        sequencer: str}, "request-id": str, requester: str, "source-ip-address": str, reason: str}""",
    "github_push": """
        ref: str, before: str[40], after: str[40], created: bool, base_ref: str | None,
        commits: list[{id: str, message: str}], head_commit: {id: str} | None, pusher: {name: str, email: str},
        repository: {id: int, node_id: str, full_name: str, private: bool, owner: {login: str, id: int, html_url: str,
        type: str, site_admin: bool}, created_at: int | str, pushed_at: int | str, stargazers_count: int >= 0,
        has_issues: bool, license: dict | None, default_branch: str, topics: list[str], custom_properties: dict}""",
    "gitter_chat": """
        id: str, text: str, html: str, sent: datetime, fromUser: {id: str, username: str, displayName: str, url: str,
        avatarUrl: str, avatarUrlSmall: str, avatarUrlMedium: str, v: int, gv: str}, unread: bool, readBy: int >= 0,
        urls: list[str], mentions: list[{screenName: str, userId: str, userIds: list[str]}],
        issues: list[{number: str}], meta: list[dict[str, int] | str], v: int, gv: str""",
    "laravel_job": """
        uuid: UUID, displayName: str, job: str, maxTries: int | None, maxExceptions: int | None, failOnTimeout: bool,
        backoff: int | str | None, timeout: int | None, retryUntil: int | None, data: {commandName: str, command: str},
        createdAt: int, delay: int | None""",
    "meh_order_placed": """
        boxId: str, transportId: UUID, partnerId: UUID, timestamp: datetime, startLocation: {platformId: UUID},
        destinationLocation: StartLocation""",
    "s3_notification": """
        Records: list[{eventVersion: str, eventSource: str, awsRegion: str, eventTime: datetime, eventName: str,
        userIdentity: {principalId: str}, requestParameters: {sourceIPAddress: str},
        responseElements: {"x-amz-request-id": str, "x-amz-id-2": str}, s3: {s3SchemaVersion: str, configurationId: str,
        bucket: {name: str, ownerIdentity: {principalId: str}, arn: str}, object: {key: str, size: int >= 0, eTag: str,
        versionId: str | None = None, sequencer: str}}}]""",
    "sns_envelope": """
        Type: "Notification", MessageId: UUID, TopicArn: str, Message: str, Timestamp: datetime, SignatureVersion: str,
        Signature: bytes, SigningCertURL: str, UnsubscribeURL: str""",
    "spring_order_created": """
        orderId: str, customerId: str, paymentMethodId: str, transactionId: str, totalPrice: float >= 0,
        currency: str[3], items: list[{productId: str, quantity: int >= 1, unitPrice: float >= 0}]""",
    "streetlights": "lumens: int >= 0, sentAt: datetime",
    "stripe_event": """
        api_version: str | None, created: int, data: {object: {active: bool, aggregate_usage: str | None,
        amount: int | None,
        amount_decimal: Decimal | None, billing_scheme: "per_unit" | "tiered", created: int, currency: str[3], id: str,
        interval: "day" | "week" | "month" | "year", interval_count: int >= 1, livemode: bool, metadata: dict[str, str],
        meter: str | None, nickname: str | None, object: "plan", product: str | None, tiers_mode: str | None,
        transform_usage: dict | None, trial_period_days: int | None, usage_type: "licensed" | "metered"}}, id: str,
        livemode: bool, object: "event", pending_webhooks: int, request: {id: str | None, idempotency_key: str | None},
        type: "plan.created" | "plan.updated" | "plan.deleted" """,
    "tagged_job": 'jobId: str, type: "delete-account", payload: {userId: str}',
    "twilio_stream_status": """
        messageSid: str, timestamp: datetime, accountSid: str, eventName: str, apiVersion: str, from: str, to: str,
        messageStatus: str, errorCode: int | None, tags: dict[str, str]""",
}


def line_of(name: str) -> str:
    return re.sub(r"\s+", " ", LINES[name]).strip()


def test_every_message_has_a_line() -> None:
    assert LINES.keys() == MESSAGES.keys()


@pytest.mark.parametrize("name", MESSAGES)
def test_pasted_message_is_decoded_with_every_key(name: str) -> None:
    message = message_of(MESSAGES[name])
    class_ = class_of(message)
    decoded = msgspec.json.decode(MESSAGES[name], type=class_)
    assert json.loads(msgspec.json.encode(decoded)) == normalized(json.loads(MESSAGES[name]))
    assert json.dumps(json_schema(message)) == json.dumps({"$schema": DIALECT, **msgspec.json.schema(class_)})


@pytest.mark.parametrize("name", MESSAGES)
def test_typed_line_decodes_the_message_with_every_key(name: str) -> None:
    check_line(line_of(name), fails=False)
    decoded = msgspec.json.decode(MESSAGES[name], type=class_of(message_of(line_of(name))))
    read = json.loads(msgspec.json.encode(decoded))
    assert {key: read[key] for key in json.loads(MESSAGES[name])}.keys() == json.loads(MESSAGES[name]).keys()


def normalized(value: object) -> object:
    """Return a value with its times as msgspec writes them."""
    if isinstance(value, dict):
        return {key: normalized(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [normalized(inner) for inner in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+\.\d+Z", value):
        seconds, _, fraction = value.removesuffix("Z").partition(".")
        return f"{seconds}.{fraction.ljust(6, '0')}Z" if int(fraction) else f"{seconds}Z"
    return value


def test_types_of_a_pasted_message_are_narrow() -> None:
    types = {field.wire_name: annotation(field.type) for field in message_of(MESSAGES["sns_envelope"]).fields}
    assert types["MessageId"] == "UUID"
    assert types["Timestamp"] == "Annotated[datetime, msgspec.Meta(tz=True)]"


@pytest.fixture
def project(bake: Bake, name: str, pasted: bool) -> Project:
    return bake(message_name="OrderEvent", message_fields=MESSAGES[name] if pasted else line_of(name), runtime=RUNTIME)


@pytest.mark.wide
@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("pasted", [True, False], ids=["pasted", "typed"])
def test_project_is_clean_and_handles_the_message(
    project: Project, name: str, with_python: Callable[[str], dict[str, str]]
) -> None:
    python = with_python(RUNTIME)
    for command in ("ruff check --no-cache", "ruff format --check --no-cache", "uv run mypy"):
        project.run(*command.split(), **python)
    project.run("uv", "run", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not local", **python)
    check = (
        "import json, sys; from pathlib import Path; sys.path.insert(0, 'lambdas'); "
        "from order_event_processor.app import handler; "
        "event = json.loads(Path('contract/order_event.event.json').read_text('utf-8')); "
        f"event['Records'][0]['body'] = {MESSAGES[name]!r}; print(handler(event, None))"
    )
    assert "{'batchItemFailures': []}" in project.run("uv", "run", "python", "-c", check, **python)
