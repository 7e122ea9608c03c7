"""The services of moto: those that few stacks use are imported when a stack has a resource of them.

moto's CloudFormation imports all services that it knows, which takes two seconds.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pkgutil import resolve_name
from typing import Any

# The packages of moto by the names in types of resources, such as AWS::EC2::VPC.
RARE = {
    "ApiGateway": "apigateway",
    "AutoScaling": "autoscaling",
    "Batch": "batch",
    "DataPipeline": "datapipeline",
    "EC2": "ec2",
    "ECS": "ecs",
    "EFS": "efs",
    "ElasticLoadBalancing": "elb",
    "ElasticLoadBalancingV2": "elbv2",
    "EMR": "emr",
    "IoT": "iot",
    "RDS": "rds",
    "Redshift": "redshift",
    "Route53": "route53",
    "SageMaker": "sagemaker",
    "StepFunctions": "stepfunctions",
}

# Other modules of moto import from these, too.
MODULES = [*(f"moto.{package}" for package in RARE.values()), "moto.ec2.models.core"]


class Absent:
    """Stands for a module, or for a name in it, until that is used."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # such as __path__, for which `import` asks
            raise AttributeError(name)
        return Absent(f"{self.name}.{name}")

    def __getitem__(self, key: Any) -> Any:
        return resolve_name(self.name)[key]

    def __instancecheck__(self, instance: Any) -> bool:
        is_imported = self.name.rpartition(".")[0] in sys.modules
        return is_imported and isinstance(instance, resolve_name(self.name))


@contextmanager
def without_rare_services() -> Iterator[None]:
    """Let what is imported during a `with` statement do without the rare services."""
    absent = {name: Absent(name) for name in MODULES if name not in sys.modules}
    sys.modules.update(absent)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def import_service(type_: str) -> bool:
    """Import the service of a type of resource if it is a rare one, and tell whether it is."""
    package = RARE.get(type_.split("::")[1]) if type_.startswith("AWS::") else None
    if package:
        import_module(f"moto.{package}.models")
    return package is not None
