// Calls Forebay through the genuine Go SDK, by its generic request.
//
// usage: forebay-client --endpoint host:port --secret-id ID --secret-key KEY
//
// Reads lines "<Action> <JSON parameters>" until stdin ends and prints one line
// of JSON for each: {"ok": <response>}, or {"error": {"code", "message",
// "requestId"}} with what the SDK's error says. One call at a time.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log"
	"os"
	"strings"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	sdkerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	sdkhttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
)

type failure struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"requestId"`
}

type answer struct {
	OK    json.RawMessage `json:"ok,omitempty"`
	Error *failure        `json:"error,omitempty"`
}

func call(client *common.Client, action, parameters string) (*answer, error) {
	request := sdkhttp.NewCommonRequest("ckafka", "2019-08-19", action)
	if err := request.SetActionParameters(parameters); err != nil {
		return nil, err
	}
	response := sdkhttp.NewCommonResponse()
	err := client.Send(request, response)
	var refused *sdkerrors.TencentCloudSDKError
	if errors.As(err, &refused) {
		return &answer{Error: &failure{refused.Code, refused.Message, refused.RequestId}}, nil
	}
	if err != nil {
		return nil, err
	}
	var body struct{ Response json.RawMessage }
	if err := json.Unmarshal(response.GetBody(), &body); err != nil {
		return nil, err
	}
	return &answer{OK: body.Response}, nil
}

func serve(client *common.Client, input *bufio.Reader, output io.Writer) error {
	for {
		line, err := input.ReadString('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		action, parameters, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		answer, err := call(client, action, parameters)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(output).Encode(answer); err != nil {
			return err
		}
	}
}

func main() {
	endpoint := flag.String("endpoint", "", "host:port")
	secretID := flag.String("secret-id", "", "SecretId")
	secretKey := flag.String("secret-key", "", "SecretKey")
	flag.Parse()

	settings := profile.NewClientProfile()
	settings.HttpProfile.Scheme = "HTTP"
	settings.HttpProfile.Endpoint = *endpoint
	credential := common.NewCredential(*secretID, *secretKey)
	client := common.NewCommonClient(credential, "ap-guangzhou", settings)
	if err := serve(client, bufio.NewReader(os.Stdin), os.Stdout); err != nil {
		log.Fatal(err)
	}
}
