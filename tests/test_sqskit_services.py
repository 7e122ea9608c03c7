"""The services of moto that are imported late: nothing that moto can make is missing for that."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqskit.aws import EmbeddedAws

pytestmark = pytest.mark.slow

ALL = """
import json
from moto.cloudformation.parsing import get_model_map
print(json.dumps(sorted(get_model_map())))
"""

# Prints which of these types are unknown, and the names of what `parsing` can see of EC2 before and after it is there.
LATE = """
import json
import sys
from sqskit import stacks

types = json.load(sys.stdin)
begin = sorted(name for name in ("moto.ec2", "moto.apigateway", "moto.sagemaker") if name in sys.modules)
before = isinstance(stacks, stacks.parsing.TaggedEC2Resource)
for type_ in types:
    stacks.is_known(type_)
unknown = [type_ for type_ in types if not stacks.is_known(type_)]

from moto.ec2.models.vpcs import VPC
after = isinstance(VPC.__new__(VPC), stacks.parsing.TaggedEC2Resource)
backend = type(stacks.parsing.ec2_models.ec2_backends["123456789012"]["us-east-1"]).__name__
print(json.dumps([begin, before, unknown, after, backend]))
"""

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Jobs: {Type: AWS::SQS::Queue}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
      Handler: app.handler
      Runtime: python3.13
      Environment: {Variables: {NETWORK: !Ref Network, CLUSTER: !GetAtt Cluster.Arn}}
      Events: {Any: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}}
  Network:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.0.0.0/16, Tags: [{Key: team, Value: orders}]}
  Cluster: {Type: AWS::ECS::Cluster}
"""


def answer(code: str, given: str = "") -> list[object]:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True, text=True)
    answer: list[object] = json.loads(done.stdout)
    return answer


def test_every_type_of_resource_that_moto_knows_is_known() -> None:
    types = answer(ALL)
    assert "AWS::SageMaker::Model" in types
    assert answer(LATE, json.dumps(types)) == [[], False, [], True, "EC2Backend"]


def test_resources_of_rare_services_are_made_with_their_tags(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE, "utf-8")
    with EmbeddedAws() as aws:
        (mapping,) = aws.deploy(path)
        (network,) = (vpc for vpc in aws.client("ec2").describe_vpcs()["Vpcs"] if vpc["CidrBlock"] == "10.0.0.0/16")
        (cluster,) = aws.client("ecs").list_clusters()["clusterArns"]
    assert mapping.function.environment == {"NETWORK": network["VpcId"], "CLUSTER": cluster}
    tags = {tag["Key"]: tag["Value"] for tag in network["Tags"]}
    assert (tags["team"], tags["aws:cloudformation:logical-id"]) == ("orders", "Network")
    assert aws.notes == []


def test_service_that_no_stack_has_can_be_called() -> None:
    with EmbeddedAws() as aws:
        assert aws.client("stepfunctions").list_state_machines()["stateMachines"] == []
