package notify_test

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/smtpcapture"
	"github.com/ictmedia/schoolmail/site/notify"
)

// A leaver is told when the mailbox will close.
func ExampleMailer_Notify() {
	relay, err := smtpcapture.Start() // a site has a real one
	if err != nil {
		fmt.Println(err)
		return
	}
	defer relay.Close()
	m, err := notify.New(relay.Addr(), "it@schulen.example", &notify.Options{Site: "Schulinformatik"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	err = m.Notify(context.Background(), schoolmail.Notice{
		ID: "n1", Kind: schoolmail.NoticeLeaving, Due: schoolmail.NewDate(2027, 3, 29),
		Account: schoolmail.Account{Username: "ida.abel", DisplayName: "Ida Abel", Mail: "ida.abel@lernende.example"},
	})
	fmt.Println(err, relay.Count(), relay.Messages()[0].To)
	// Output: <nil> 1 [ida.abel@lernende.example]
}
