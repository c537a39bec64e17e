"""Calls Forebay through the genuine Tencent Cloud SDK.

Prints one line of JSON per call: {"ok": <response>}, or {"error": {"code",
"message", "requestId"}} with what the SDK's exception says; the exit code is 0
either way. Beside "ok" stands "unfilled": the fields of the SDK's typed answer
that are None, as paths. `send` reads from stdin a JSON array of {"Body", "Key"?}; `serve`
reads lines "<Action> <JSON parameters>" until stdin ends.
"""

import argparse
import json
import sys

from tencentcloud.ckafka.v20190819 import ckafka_client, models
from tencentcloud.common.abstract_model import AbstractModel
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

ON_TASK = {
    "describe": "DescribeDatahubTask",
    "pause": "PauseDatahubTask",
    "resume": "ResumeDatahubTask",
    "restart": "RestartDatahubTask",
    "delete": "DeleteDatahubTask",
}


def make_client(args):
    http = HttpProfile(
        protocol="http",
        endpoint=args.endpoint,
        reqMethod=args.method,
        reqTimeout=args.timeout,
        keepAlive=not args.no_keep_alive,
    )
    profile = ClientProfile(signMethod=args.sign_method, httpProfile=http)
    secret = credential.Credential(args.secret_id, args.secret_key, args.token)
    return ckafka_client.CkafkaClient(secret, args.region, profile)


def unfilled(value, path=""):
    """The fields of a typed answer that are None, lists by their first element."""
    if isinstance(value, list):
        return unfilled(value[0], path) if value else []
    if not isinstance(value, AbstractModel):
        return []
    paths = []
    for name, field in vars(value).items():
        at = f"{path}.{name.lstrip('_')}".lstrip(".")
        paths += [at] if field is None else unfilled(field, at)
    return paths


def call(client, action, params):
    request = getattr(models, action + "Request")()
    request.from_json_string(json.dumps(params))
    try:
        response = getattr(client, action)(request)
        answer = {
            "ok": json.loads(response.to_json_string()),
            "unfilled": unfilled(response),
        }
    except TencentCloudSDKException as error:
        answer = {
            "error": {
                "code": error.get_code(),
                "message": error.get_message(),
                "requestId": error.get_request_id(),
            }
        }
    print(json.dumps(answer, ensure_ascii=False), flush=True)


def create_params(args):
    if args.target == "TOPIC":
        target = {"Type": "TOPIC", "TopicParam": {"Resource": args.topic}}
    else:
        kafka = {"SelfBuilt": False, "Resource": args.instance, "Topic": args.topic}
        if args.partitions is not None:
            kafka.update(UseAutoCreateTopic=True, PartitionNum=args.partitions)
        target = {"Type": "KAFKA", "KafkaParam": kafka}
    return {
        "TaskName": args.name,
        "TaskType": "SOURCE",
        "SourceResource": {"Type": "HTTP"},
        "TargetResource": target,
    }


def serve(client):
    for line in sys.stdin:
        action, _, params = line.strip().partition(" ")
        if action:
            call(client, action, json.loads(params or "{}"))


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--endpoint", required=True, help="host:port")
    parser.add_argument("--secret-id", required=True)
    parser.add_argument("--secret-key", required=True)
    parser.add_argument("--token")
    parser.add_argument("--region", default="ap-guangzhou")
    parser.add_argument("--method", default="POST", choices=["POST", "GET"])
    parser.add_argument(
        "--sign-method",
        default="TC3-HMAC-SHA256",
        choices=["TC3-HMAC-SHA256", "HmacSHA256", "HmacSHA1"],
    )
    parser.add_argument("--timeout", type=int, default=60, help="seconds")
    parser.add_argument("--no-keep-alive", action="store_true")
    commands = parser.add_subparsers(dest="command", required=True)

    send = commands.add_parser("send")
    send.add_argument("--datahub", required=True)

    create = commands.add_parser("create")
    create.add_argument("--name", required=True)
    create.add_argument("--topic", required=True)
    create.add_argument("--target", default="KAFKA", choices=["KAFKA", "TOPIC"])
    create.add_argument("--instance", default="ckafka-forebay0")
    create.add_argument("--partitions", type=int, help="create a missing topic with so many")

    for name in ON_TASK:
        commands.add_parser(name).add_argument("--task", required=True)

    modify = commands.add_parser("modify")
    modify.add_argument("--task", required=True)
    modify.add_argument("--name", required=True)

    listing = commands.add_parser("list")
    listing.add_argument("--limit", type=int, default=20)
    listing.add_argument("--offset", type=int, default=0)
    listing.add_argument("--search")

    any_action = commands.add_parser("call")
    any_action.add_argument("action")
    any_action.add_argument("params", nargs="?", default="{}", help="JSON")

    commands.add_parser("serve")
    return parser.parse_args()


def main():
    args = parse_args()
    client = make_client(args)
    if args.command == "serve":
        serve(client)
    elif args.command == "send":
        params = {"DataHubId": args.datahub, "Message": json.load(sys.stdin)}
        call(client, "SendMessage", params)
    elif args.command == "create":
        call(client, "CreateDatahubTask", create_params(args))
    elif args.command == "modify":
        call(client, "ModifyDatahubTask", {"TaskId": args.task, "TaskName": args.name})
    elif args.command == "list":
        params = {"Limit": args.limit, "Offset": args.offset}
        if args.search is not None:
            params["SearchWord"] = args.search
        call(client, "DescribeDatahubTasks", params)
    elif args.command == "call":
        call(client, args.action, json.loads(args.params))
    else:
        call(client, ON_TASK[args.command], {"TaskId": args.task})


if __name__ == "__main__":
    main()
