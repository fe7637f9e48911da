//! A visitor's journey: start, send, read, list, close, and look up an unknown conversation.

use reqwest::header::{AUTHORIZATION, HeaderMap};
use siteassist::types::{
    CloseConversationRequest, InitRequest, MessagePart, SendMessageRequest,
    StartConversationRequest,
};
use siteassist::{Client, Error};
use uuid::uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("SITEASSIST_BASE_URL").unwrap_or("http://127.0.0.1:8787/v2".into());
    let device = InitRequest {
        api_key: "sa_pk_1234567890abcdef".parse()?,
        sa_vid: "rust".parse()?,
    };
    let session = Client::new(&url).init(&device).await?.into_inner();
    println!("visitor {}", *session.visitor.id);

    let bearer = format!("Bearer {}", session.session_token).parse()?;
    let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
    let http = reqwest::Client::builder().default_headers(headers).build()?;
    let api = Client::new_with_client(&url, http);

    let started = api.start_conversation(&StartConversationRequest { context: None }).await?;
    let id = &started.id;
    println!("started {}", **id);

    let question = SendMessageRequest {
        content: "How long does shipping take?".parse()?,
        page_context: None,
        stream: None,
    };
    let answer = api.send_message(id, &question).await?;
    let parts = answer.steps.iter().flat_map(|step| &step.content);
    let text: String = parts
        .filter_map(|part| match part {
            MessagePart::TextPart(part) => Some(part.text.as_str()),
            _ => None,
        })
        .collect();
    assert!(!text.is_empty());
    println!("answered {text}");

    let page = api.get_conversations(None, None, None, None, None).await?;
    assert_eq!(**id, *page.data[0].id);
    println!("listed {}", *page.data[0].id);

    let reason = CloseConversationRequest { close_reason: Some("done".parse()?) };
    let closed = api.close_conversation(id, &reason).await?;
    assert!(closed.success);
    println!("closed {}", closed.success);

    let unknown = uuid!("00000000-0000-4000-8000-000000000000").into();
    let Err(Error::ErrorResponse(missing)) = api.get_conversation(&unknown).await else {
        return Err("404 expected".into());
    };
    assert_eq!(404, missing.status().as_u16());
    assert_eq!(Some("CONVERSATION_NOT_FOUND"), missing.error.code.as_deref());
    println!("missing {}", missing.error.code.as_deref().unwrap_or_default());
    Ok(())
}
