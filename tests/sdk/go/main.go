// Calls Forebay through the genuine Go SDK, by its generic request.
//
// usage: forebay-client --endpoint host:port --secret-id ID --secret-key KEY
//            [--sign-method TC3-HMAC-SHA256|HmacSHA1|HmacSHA256] [--method POST|GET]
//
// With GET and with the old signatures the generic request leaves out an action's
// parameters: there it takes requests of the typed client's kind, for SendMessage
// and for actions whose only parameter is TaskId.
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

type caller struct {
	*common.Client
	request func(action, parameters string) (sdkhttp.Request, error)
}

type answer struct {
	OK    json.RawMessage `json:"ok,omitempty"`
	Error *failure        `json:"error,omitempty"`
}

type sendMessage struct {
	*sdkhttp.BaseRequest
	DataHubId *string   `json:"DataHubId" name:"DataHubId"`
	Message   []*record `json:"Message" name:"Message"`
}

type record struct {
	Body *string `json:"Body" name:"Body"`
	Key  *string `json:"Key" name:"Key"`
}

type onTask struct {
	*sdkhttp.BaseRequest
	TaskId *string `json:"TaskId" name:"TaskId"`
}

func generic(action, parameters string) (sdkhttp.Request, error) {
	request := sdkhttp.NewCommonRequest("ckafka", "2019-08-19", action)
	return request, request.SetActionParameters(parameters)
}

func typed(action, parameters string) (sdkhttp.Request, error) {
	base := &sdkhttp.BaseRequest{}
	base.Init().WithApiInfo("ckafka", "2019-08-19", action)
	if action == "SendMessage" {
		request := &sendMessage{BaseRequest: base}
		return request, json.Unmarshal([]byte(parameters), request)
	}
	request := &onTask{BaseRequest: base}
	return request, json.Unmarshal([]byte(parameters), request)
}

func call(client *caller, action, parameters string) (*answer, error) {
	request, err := client.request(action, parameters)
	if err != nil {
		return nil, err
	}
	response := sdkhttp.NewCommonResponse()
	err = client.Send(request, response)
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

func serve(client *caller, input *bufio.Reader, output io.Writer) error {
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
	signMethod := flag.String("sign-method", "TC3-HMAC-SHA256", "how to sign")
	method := flag.String("method", "POST", "POST or GET")
	flag.Parse()

	settings := profile.NewClientProfile()
	settings.HttpProfile.Scheme = "HTTP"
	settings.HttpProfile.Endpoint = *endpoint
	settings.HttpProfile.ReqMethod = *method
	settings.SignMethod = *signMethod
	credential := common.NewCredential(*secretID, *secretKey)
	client := &caller{common.NewCommonClient(credential, "ap-guangzhou", settings), generic}
	if *method == "GET" || *signMethod != "TC3-HMAC-SHA256" {
		client.request = typed
	}
	if err := serve(client, bufio.NewReader(os.Stdin), os.Stdout); err != nil {
		log.Fatal(err)
	}
}
