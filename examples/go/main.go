// A visitor's journey: start, send, read, list, close, and look up an unknown conversation.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/google/uuid"

	siteassist "siteassist.example/client"
)

// must returns the expected body of an answer, and ends the program if there is none.
func must[Answer, Body any](answer Answer, err error, body func(Answer) *Body) Body {
	if err != nil {
		log.Fatal(err)
	}
	if body(answer) == nil {
		log.Fatalf("another answer was expected: %+v", answer)
	}
	return *body(answer)
}

func expect(fact bool, what string) {
	if !fact {
		log.Fatalf("%s expected", what)
	}
}

func main() {
	ctx := context.Background()
	url := cmp.Or(os.Getenv("SITEASSIST_BASE_URL"), "http://127.0.0.1:8787/v2")
	token := ""
	api, err := siteassist.NewClientWithResponses(url, siteassist.WithRequestEditorFn(
		func(_ context.Context, request *http.Request) error {
			request.Header.Set("Authorization", "Bearer "+token)
			return nil
		}))
	if err != nil {
		log.Fatal(err)
	}

	opened, err := api.InitWithResponse(ctx, siteassist.InitRequest{ApiKey: "sa_pk_1234567890abcdef", SaVid: "go"})
	session := must(opened, err, func(r *siteassist.InitResponse) *siteassist.VisitorSession { return cmp.Or(r.JSON201, r.JSON200) })
	token = session.SessionToken
	fmt.Println("visitor", session.Visitor.Id)

	started, err := api.StartConversationWithResponse(ctx, siteassist.StartConversationRequest{})
	conversation := must(started, err, func(r *siteassist.StartConversationResponse) *siteassist.Conversation { return r.JSON201 })
	fmt.Println("started", conversation.Id)

	sent, err := api.SendMessageWithResponse(ctx, conversation.Id, siteassist.SendMessageRequest{Content: "How long does shipping take?"})
	answer := must(sent, err, func(r *siteassist.SendMessageResponse) *siteassist.Completion { return r.JSON200 })
	text := ""
	for _, step := range answer.Steps {
		for _, part := range step.Content {
			// AsTextPart ignores the type: the text of any other part is empty.
			if piece, err := part.AsTextPart(); err == nil {
				text += piece.Text
			}
		}
	}
	expect(text != "", "an answer")
	fmt.Println("answered", text)

	found, err := api.GetConversationsWithResponse(ctx, &siteassist.GetConversationsParams{})
	page := must(found, err, func(r *siteassist.GetConversationsResponse) *siteassist.ConversationList { return r.JSON200 })
	expect(len(page.Data) > 0 && page.Data[0].Id == conversation.Id, "the conversation")
	fmt.Println("listed", page.Data[0].Id)

	reason := "done"
	ended, err := api.CloseConversationWithResponse(ctx, conversation.Id, siteassist.CloseConversationRequest{CloseReason: &reason})
	closed := must(ended, err, func(r *siteassist.CloseConversationResponse) *siteassist.CloseConversationResult { return r.JSON200 })
	expect(closed.Success, "success")
	fmt.Println("closed", closed.Success)

	read, err := api.GetConversationWithResponse(ctx, uuid.MustParse("00000000-0000-4000-8000-000000000000"))
	missing := must(read, err, func(r *siteassist.GetConversationResponse) *siteassist.Error { return r.JSON404 })
	expect(missing.Error.Code != nil && *missing.Error.Code == "CONVERSATION_NOT_FOUND", "its code")
	fmt.Println("missing", *missing.Error.Code)
}
