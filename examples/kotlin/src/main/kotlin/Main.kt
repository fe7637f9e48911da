// A visitor's journey: start, send, read, list, close, and look up an unknown conversation.
import java.util.UUID
import siteassist.apis.ConversationsApi
import siteassist.apis.IdentityApi
import siteassist.apis.MessagesApi
import siteassist.infrastructure.ApiClient
import siteassist.infrastructure.ClientError
import siteassist.infrastructure.ClientException
import siteassist.infrastructure.Serializer
import siteassist.models.CloseConversationRequest
import siteassist.models.Error
import siteassist.models.InitRequest
import siteassist.models.SendMessageRequest
import siteassist.models.StartConversationRequest

fun main() {
    val url = System.getenv("SITEASSIST_BASE_URL") ?: "http://127.0.0.1:8787/v2"

    val session = IdentityApi(url).callInit(InitRequest("sa_pk_1234567890abcdef", "kotlin"))
    println("visitor ${session.visitor.id}")
    ApiClient.accessToken = session.sessionToken

    val conversations = ConversationsApi(url)
    val id = conversations.startConversation(StartConversationRequest()).id
    println("started $id")

    val question = SendMessageRequest("How long does shipping take?")
    val answer = MessagesApi(url).sendMessage(id, question)
    val text = answer.steps.flatMap { it.content }.mapNotNull { it.text }.joinToString("")
    check(text.isNotEmpty()) { "an answer expected" }
    println("answered $text")

    val page = conversations.getConversations()
    check(page.data.first().id == id) { "the conversation expected" }
    println("listed ${page.data.first().id}")

    val closed = conversations.closeConversation(id, CloseConversationRequest("done"))
    check(closed.success) { "success expected" }
    println("closed ${closed.success}")

    try {
        conversations.getConversation(UUID.fromString("00000000-0000-4000-8000-000000000000"))
        error("404 expected")
    } catch (missing: ClientException) {
        check(missing.statusCode == 404) { "404 expected, ${missing.statusCode} came" }
        val body = (missing.response as ClientError<*>).body as String
        val error = Serializer.jacksonObjectMapper.readValue(body, Error::class.java)
        check(error.error.code == "CONVERSATION_NOT_FOUND") { "its code expected" }
        println("missing ${error.error.code}")
    }
}
