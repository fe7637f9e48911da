# A visitor's journey: start, send, read, list, close, and look up an unknown conversation.
require 'uri'
require 'siteassist'

def expect(fact, what)
  raise "#{what} expected" unless fact
end

url = URI(ENV.fetch('SITEASSIST_BASE_URL', 'http://127.0.0.1:8787/v2'))
config = SiteAssist::Configuration.default
config.scheme = url.scheme
config.host = "#{url.host}:#{url.port}"
config.base_path = url.path

device = SiteAssist::InitRequest.new(api_key: 'sa_pk_1234567890abcdef', sa_vid: 'ruby')
session = SiteAssist::IdentityApi.new.init(device)
puts "visitor #{session.visitor.id}"
config.access_token = session.session_token

conversations = SiteAssist::ConversationsApi.new
id = conversations.start_conversation.id
puts "started #{id}"

question = SiteAssist::SendMessageRequest.new(content: 'How long does shipping take?')
answer = SiteAssist::MessagesApi.new.send_message(id, question)
text = answer.steps.flat_map(&:content).filter_map(&:text).join
expect(!text.empty?, 'an answer')
puts "answered #{text}"

page = conversations.get_conversations
expect(page.data.first&.id == id, 'the conversation')
puts "listed #{page.data.first.id}"

reason = SiteAssist::CloseConversationRequest.new(close_reason: 'done')
closed = conversations.close_conversation(id, close_conversation_request: reason)
expect(closed.success, 'success')
puts "closed #{closed.success}"

begin
  conversations.get_conversation('00000000-0000-4000-8000-000000000000')
  expect(false, '404')
rescue SiteAssist::ApiError => missing
  expect(missing.code == 404, '404')
  body = JSON.parse(missing.response_body, symbolize_names: true)
  error = SiteAssist::Error.build_from_hash(body).error
  expect(error.code == 'CONVERSATION_NOT_FOUND', 'its code')
  puts "missing #{error.code}"
end
