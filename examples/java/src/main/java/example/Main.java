package example;

import java.util.Objects;
import java.util.UUID;
import java.util.stream.Collectors;
import siteassist.ApiClient;
import siteassist.ApiException;
import siteassist.JSON;
import siteassist.api.ConversationsApi;
import siteassist.api.IdentityApi;
import siteassist.api.MessagesApi;
import siteassist.model.CloseConversationRequest;
import siteassist.model.Error;
import siteassist.model.InitRequest;
import siteassist.model.MessagePart;
import siteassist.model.SendMessageRequest;
import siteassist.model.StartConversationRequest;

/** A visitor's journey: start, send, read, list, close, and look up an unknown conversation. */
public final class Main {
  public static void main(String[] arguments) throws Exception {
    // An uncaught exception ends the program with a nonzero exit status.
    var url = Objects.requireNonNullElse(System.getenv("SITEASSIST_BASE_URL"), "http://127.0.0.1:8787/v2");
    var client = new ApiClient();
    client.updateBaseUri(url);

    var device = new InitRequest().apiKey("sa_pk_1234567890abcdef").saVid("java");
    var session = new IdentityApi(client).init(device);
    System.out.println("visitor " + session.getVisitor().getId());
    client.setRequestInterceptor(
        request -> request.header("Authorization", "Bearer " + session.getSessionToken()));

    var conversations = new ConversationsApi(client);
    var id = conversations.startConversation(new StartConversationRequest()).getId();
    System.out.println("started " + id);

    var question = new SendMessageRequest().content("How long does shipping take?");
    var answer = new MessagesApi(client).sendMessage(id, question);
    var text = answer.getSteps().stream()
        .flatMap(step -> step.getContent().stream())
        .map(MessagePart::getText)
        .filter(Objects::nonNull)
        .collect(Collectors.joining());
    expect(!text.isEmpty(), "an answer");
    System.out.println("answered " + text);

    var page = conversations.getConversations(null, null, null, null, null);
    expect(id.equals(page.getData().get(0).getId()), "the conversation");
    System.out.println("listed " + page.getData().get(0).getId());

    var closed = conversations.closeConversation(id, new CloseConversationRequest().closeReason("done"));
    expect(closed.getSuccess(), "success");
    System.out.println("closed " + closed.getSuccess());

    try {
      conversations.getConversation(UUID.fromString("00000000-0000-4000-8000-000000000000"));
      expect(false, "404");
    } catch (ApiException missing) {
      if (missing.getCode() != 404) throw missing;
      var error = JSON.getDefault().getMapper().readValue(missing.getResponseBody(), Error.class);
      expect("CONVERSATION_NOT_FOUND".equals(error.getError().getCode()), "its code");
      System.out.println("missing " + error.getError().getCode());
    }
  }

  private static void expect(boolean fact, String what) {
    if (!fact) throw new IllegalStateException(what + " expected");
  }

  private Main() {}
}
