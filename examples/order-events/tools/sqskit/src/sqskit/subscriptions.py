"""AWS::SNS::Subscription for moto's CloudFormation, which does not have it."""

import json
from typing import Any, Self

from moto.core.common_models import CloudFormationModel
from moto.sns.models import Subscription, sns_backends

# The properties that moto obeys.
ATTRIBUTES = ("RawMessageDelivery", "FilterPolicy", "FilterPolicyScope")


class SubscriptionResource(CloudFormationModel):  # moto finds it among the subclasses
    """A subscription in a template."""

    def __init__(self, subscription: Subscription) -> None:
        self.physical_resource_id = subscription.arn

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SNS::Subscription"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> Self:
        properties = cloudformation_json["Properties"]
        sns = sns_backends[account_id][region_name]
        topic, endpoint = properties["TopicArn"], properties["Endpoint"]
        subscription = sns.subscribe(topic, endpoint, properties["Protocol"])
        for name in ATTRIBUTES:
            if name in properties:
                value = properties[name]
                text = value if isinstance(value, str) else json.dumps(value)
                sns.set_subscription_attributes(subscription.arn, name, text)
        return cls(subscription)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Self,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> Self:
        sns_backends[account_id][region_name].unsubscribe(original_resource.physical_resource_id)
        return cls.create_from_cloudformation_json(
            new_resource_name, cloudformation_json, account_id, region_name
        )

    @classmethod
    def delete_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> None:
        sns_backends[account_id][region_name].unsubscribe(resource_name)

    def is_created(self) -> bool:
        return True
