import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.tencentcloudapi.ckafka.v20190819.CkafkaClient;
import com.tencentcloudapi.common.AbstractModel;
import com.tencentcloudapi.common.Credential;
import com.tencentcloudapi.common.exception.TencentCloudSDKException;
import com.tencentcloudapi.common.profile.ClientProfile;
import com.tencentcloudapi.common.profile.HttpProfile;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * Calls Forebay through the genuine Java SDK.
 *
 * <p>usage: ForebayClient --endpoint host:port --secret-id ID --secret-key KEY
 * [--sign-method TC3-HMAC-SHA256|HmacSHA1|HmacSHA256] [--method POST|GET]
 *
 * <p>Reads lines "&lt;Action&gt; &lt;JSON parameters&gt;" until stdin ends and prints one line of
 * JSON for each: {"ok": response}, or {"error": {"code", "message", "requestId"}} with what the
 * SDK's exception says. One call at a time.
 */
public final class ForebayClient {
  private static final String MODELS = "com.tencentcloudapi.ckafka.v20190819.models.";

  private final CkafkaClient client;

  private ForebayClient(CkafkaClient client) {
    this.client = client;
  }

  public static void main(String[] args) throws IOException, ReflectiveOperationException {
    Map<String, String> options = new HashMap<>();
    for (int at = 0; at + 1 < args.length; at += 2) {
      options.put(args[at], args[at + 1]);
    }
    HttpProfile http = new HttpProfile();
    http.setProtocol(HttpProfile.REQ_HTTP);
    http.setEndpoint(options.get("--endpoint"));
    http.setReqMethod(options.getOrDefault("--method", HttpProfile.REQ_POST));
    ClientProfile profile = new ClientProfile();
    profile.setSignMethod(options.getOrDefault("--sign-method", ClientProfile.SIGN_TC3_256));
    profile.setHttpProfile(http);
    Credential credential =
        new Credential(options.get("--secret-id"), options.get("--secret-key"));
    new ForebayClient(new CkafkaClient(credential, "ap-guangzhou", profile)).serve();
  }

  private void serve() throws IOException, ReflectiveOperationException {
    BufferedReader input =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      int space = line.indexOf(' ');
      output.println(answer(line.substring(0, space), line.substring(space + 1)));
    }
  }

  private JsonObject answer(String action, String parameters) throws ReflectiveOperationException {
    JsonObject answer = new JsonObject();
    try {
      answer.add("ok", call(action, parameters));
    } catch (TencentCloudSDKException exception) {
      JsonObject error = new JsonObject();
      error.addProperty("code", exception.getErrorCode());
      error.addProperty("message", exception.getMessage());
      error.addProperty("requestId", exception.getRequestId());
      answer.add("error", error);
    }
    return answer;
  }

  /** By the typed method of that name. 3.1.430 has it for SendMessage, not for tasks. */
  private JsonElement call(String action, String parameters)
      throws TencentCloudSDKException, ReflectiveOperationException {
    Class<?> model;
    try {
      model = Class.forName(MODELS + action + "Request");
    } catch (ClassNotFoundException noSuchModel) {
      return parse(client.call(action, parameters)).getAsJsonObject().get("Response");
    }
    Method method = CkafkaClient.class.getMethod(action, model);
    try {
      Object response = method.invoke(client, AbstractModel.fromJsonString(parameters, model));
      return parse(AbstractModel.toJsonString((AbstractModel) response));
    } catch (InvocationTargetException thrown) {
      if (thrown.getCause() instanceof TencentCloudSDKException) {
        throw (TencentCloudSDKException) thrown.getCause();
      }
      throw thrown;
    }
  }

  /** As the Gson of the oldest version can. */
  @SuppressWarnings("deprecation")
  private static JsonElement parse(String json) {
    return new JsonParser().parse(json);
  }
}
