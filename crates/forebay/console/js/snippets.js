// Programs that send, ready to run: with this replica's endpoint and the task's
// access point, and with the secret taken from the environment.

import { currentSession } from "./api.js";

/** SDKs want one; Forebay takes any. */
export const REGION = "ap-guangzhou";

export const LANGUAGES = [
  ["python", "Python"],
  ["java", "Java"],
  ["node", "Node"],
  ["go", "Go"],
  ["curl", "curl"],
];

/** Where SDKs send to, as seen from this browser. */
export function endpoint() {
  const { scheme, address, wildcard } = currentSession().endpoint;
  if (!wildcard) return { scheme, address };
  const port = address.slice(address.lastIndexOf(":") + 1);
  return { scheme, address: `${location.hostname}:${port}` };
}

export function snippet(language, datahubId) {
  const { scheme, address } = endpoint();
  return PROGRAMS[language]({ scheme, address, datahubId });
}

const PROGRAMS = {
  python: ({ scheme, address, datahubId }) => `# pip install tencentcloud-sdk-python-ckafka
import os
from tencentcloud.ckafka.v20190819 import ckafka_client, models
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

http = HttpProfile(protocol="${scheme}", endpoint="${address}", keepAlive=True)
client = ckafka_client.CkafkaClient(
    Credential(os.environ["TENCENTCLOUD_SECRET_ID"], os.environ["TENCENTCLOUD_SECRET_KEY"]),
    "${REGION}",
    ClientProfile(httpProfile=http),
)

message = models.BatchContent()
message.Key = "customer-1"
message.Body = "one coffee"
request = models.SendMessageRequest()
request.DataHubId = "${datahubId}"
request.Message = [message]
print(client.SendMessage(request).MessageId)
`,
  java: ({ scheme, address, datahubId }) => `// com.tencentcloudapi:tencentcloud-sdk-java:3.1.1436
import com.tencentcloudapi.ckafka.v20190819.CkafkaClient;
import com.tencentcloudapi.ckafka.v20190819.models.BatchContent;
import com.tencentcloudapi.ckafka.v20190819.models.SendMessageRequest;
import com.tencentcloudapi.common.Credential;
import com.tencentcloudapi.common.profile.ClientProfile;
import com.tencentcloudapi.common.profile.HttpProfile;

public class Send {
  public static void main(String[] args) throws Exception {
    HttpProfile http = new HttpProfile();
    http.setProtocol("${scheme}://");
    http.setEndpoint("${address}");
    ClientProfile profile = new ClientProfile();
    profile.setHttpProfile(http);
    Credential credential =
        new Credential(
            System.getenv("TENCENTCLOUD_SECRET_ID"), System.getenv("TENCENTCLOUD_SECRET_KEY"));
    CkafkaClient client = new CkafkaClient(credential, "${REGION}", profile);

    BatchContent message = new BatchContent();
    message.setKey("customer-1");
    message.setBody("one coffee");
    SendMessageRequest request = new SendMessageRequest();
    request.setDataHubId("${datahubId}");
    request.setMessage(new BatchContent[] {message});
    System.out.println(String.join("\\n", client.SendMessage(request).getMessageId()));
  }
}
`,
  node: ({ scheme, address, datahubId }) => `// npm install tencentcloud-sdk-nodejs-ckafka
const { ckafka } = require("tencentcloud-sdk-nodejs-ckafka");

const client = new ckafka.v20190819.Client({
  credential: {
    secretId: process.env.TENCENTCLOUD_SECRET_ID,
    secretKey: process.env.TENCENTCLOUD_SECRET_KEY,
  },
  region: "${REGION}",
  profile: { httpProfile: { protocol: "${scheme}://", endpoint: "${address}" } },
});

client
  .SendMessage({
    DataHubId: "${datahubId}",
    Message: [{ Key: "customer-1", Body: "one coffee" }],
  })
  .then(({ MessageId }) => console.log(MessageId.join("\\n")))
  .catch((error) => {
    console.error(\`\${error.code}: \${error.message}\`);
    process.exitCode = 1;
  });
`,
  go: ({ scheme, address, datahubId }) => `// go get github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
)

func main() {
	settings := profile.NewClientProfile()
	settings.HttpProfile.Scheme = "${scheme.toUpperCase()}"
	settings.HttpProfile.Endpoint = "${address}"
	credential := common.NewCredential(
		os.Getenv("TENCENTCLOUD_SECRET_ID"), os.Getenv("TENCENTCLOUD_SECRET_KEY"))
	client := common.NewCommonClient(credential, "${REGION}", settings)

	request := tchttp.NewCommonRequest("ckafka", "2019-08-19", "SendMessage")
	err := request.SetActionParameters(map[string]any{
		"DataHubId": "${datahubId}",
		"Message":   []map[string]string{{"Key": "customer-1", "Body": "one coffee"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	response := tchttp.NewCommonResponse()
	if err := client.Send(request, response); err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(response.GetBody()))
}
`,
  curl: ({ scheme, address, datahubId }) => `#!/usr/bin/env bash
# Needs curl and openssl.
set -euo pipefail
host=${address}
body='{"DataHubId":"${datahubId}","Message":[{"Key":"customer-1","Body":"one coffee"}]}'

sha256() { openssl dgst -sha256 | sed 's/^.* //'; }
hmac() { openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" | sed 's/^.* //'; }
read -r now day <<<"$(date -u '+%s %Y-%m-%d')"
request=$(printf 'POST\\n/\\n\\ncontent-type:application/json\\nhost:%s\\n\\ncontent-type;host\\n%s' \\
  "$host" "$(printf '%s' "$body" | sha256)")
text=$(printf 'TC3-HMAC-SHA256\\n%s\\n%s/ckafka/tc3_request\\n%s' \\
  "$now" "$day" "$(printf '%s' "$request" | sha256)")
key=$(printf 'TC3%s' "$TENCENTCLOUD_SECRET_KEY" | od -An -v -tx1 | tr -d ' \\n')
for part in "$day" ckafka tc3_request "$text"; do
  key=$(printf '%s' "$part" | hmac "$key")
done
curl --silent --show-error "${scheme}://$host/" \\
  --header "Authorization: TC3-HMAC-SHA256 Credential=$TENCENTCLOUD_SECRET_ID/$day/ckafka/tc3_request, SignedHeaders=content-type;host, Signature=$key" \\
  --header 'Content-Type: application/json' --header "Host: $host" \\
  --header 'X-TC-Action: SendMessage' --header 'X-TC-Version: 2019-08-19' \\
  --header "X-TC-Timestamp: $now" --data-binary "$body"
echo
`,
};
