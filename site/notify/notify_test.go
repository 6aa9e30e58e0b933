package notify_test

import (
	"context"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/smtpcapture"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site/notify"
)

func start(t *testing.T) (*smtpcapture.Server, *notify.Mailer) {
	t.Helper()
	s := testlife.Of(smtpcapture.Start())(t)
	m, err := notify.New(s.Addr(), "it@schulen.example", &notify.Options{Site: "Schulinformatik",
		Now: func() time.Time { return time.Date(2027, 2, 1, 3, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return s, m
}

func notice(kind schoolmail.NoticeKind, lang string) schoolmail.Notice {
	return schoolmail.Notice{ID: "abc123", Kind: kind, Due: schoolmail.NewDate(2027, 3, 29), Account: schoolmail.Account{
		Username: "joerg.mueller", DisplayName: "Jörg Müller", Mail: "joerg.mueller@lernende.example",
		NoticeMail: "familie@privat.example", Language: lang}}
}

func TestNotify(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, lang    string
		kind          schoolmail.NoticeKind
		subject, body string
	}{
		{"leaving in German", "", schoolmail.NoticeLeaving,
			"Ihr Postfach joerg.mueller@lernende.example wird am 29.03.2027 geschlossen", "Guten Tag Jörg Müller"},
		{"leaving in French", "fr_CH", schoolmail.NoticeLeaving,
			"Votre boîte aux lettres joerg.mueller@lernende.example sera fermée le 29.03.2027", "jusqu'au 29.03.2027"},
		{"taken back", "de", schoolmail.NoticeCancelled, "Ihr Postfach joerg.mueller@lernende.example bleibt offen",
			"gilt nicht mehr"},
		{"taken back in French", "fr", schoolmail.NoticeCancelled,
			"Votre boîte aux lettres joerg.mueller@lernende.example reste ouverte", "plus valable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, m := start(t)
			for range 2 { // the second one reuses the connection
				if err := m.Notify(t.Context(), notice(test.kind, test.lang)); err != nil {
					t.Fatal(err)
				}
			}
			got := s.Messages()
			if len(got) != 2 || m.Sent() != 2 {
				t.Fatalf("%d messages, sent %d", len(got), m.Sent())
			}
			if to := strings.Join(got[0].To, " "); to != "joerg.mueller@lernende.example familie@privat.example" {
				t.Errorf("recipients %s", to)
			}
			msg, err := mail.ReadMessage(strings.NewReader(string(got[0].Data)))
			if err != nil {
				t.Fatal(err)
			}
			if id := msg.Header.Get("Message-ID"); id != "<abc123@schulen.example>" {
				t.Errorf("Message-ID %s", id)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
			if err != nil || subject != test.subject {
				t.Errorf("subject %q (%v), want %q", subject, err, test.subject)
			}
			body, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
			if err != nil || !strings.Contains(string(body), test.body) || !strings.Contains(string(body), "Schulinformatik") {
				t.Errorf("body (%v):\n%s", err, body)
			}
		})
	}
}

func TestNotifyRefused(t *testing.T) {
	t.Parallel()
	s, m := start(t)
	refuse := map[string]string{"joerg.mueller@lernende.example": "550 5.1.1 no such user"}
	s.Refuse = func(to string) string {
		return refuse[to]
	}
	err := m.Notify(t.Context(), notice(schoolmail.NoticeLeaving, ""))
	if err == nil || !strings.Contains(err.Error(), "550") {
		t.Fatalf("got %v", err)
	}
	if s.Count() != 0 {
		t.Error("a message was sent to only some recipients")
	}
	n := notice(schoolmail.NoticeLeaving, "")
	refuse = map[string]string{n.Account.NoticeMail: "451 4.7.1 try later"}
	if err := m.Notify(t.Context(), n); err == nil {
		t.Error("a private address that is refused for now was left out")
	}
	refuse = map[string]string{n.Account.NoticeMail: "550 5.1.1 no such user"}
	if err := m.Notify(t.Context(), n); err != nil || s.Count() != 1 {
		t.Errorf("with a private address that is no more: %v", err)
	}
}

func TestNotifyBad(t *testing.T) {
	t.Parallel()
	_, m := start(t)
	n := notice(schoolmail.NoticeLeaving, "")
	n.Account.Mail = "a@b\r\nRCPT TO:<evil@c>"
	if err := m.Notify(t.Context(), n); err == nil {
		t.Error("a line break in an address was accepted")
	}
	if err := m.Notify(t.Context(), notice("other", "")); err == nil {
		t.Error("an unknown kind was accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Notify(ctx, notice(schoolmail.NoticeLeaving, "")); err == nil {
		t.Error("a cancelled context was ignored")
	}
	for _, bad := range [][2]string{{"relay", "a@b"}, {"relay:25", "nobody"}, {"relay:25", "a@b\r\nX: y"}} {
		if _, err := notify.New(bad[0], bad[1], nil); err == nil {
			t.Errorf("New(%q, %q) succeeded", bad[0], bad[1])
		}
	}
}

// A message for somebody else goes to that address alone.
func TestNotifySomebodyElse(t *testing.T) {
	t.Parallel()
	s, m := start(t)
	n := notice(schoolmail.NoticeReminder, "de")
	n.To = schoolmail.Recipient{Relation: schoolmail.RelationGuardians, Name: "Kim Müller", Mail: "kim@privat.example",
		Language: "it"}
	if err := m.Notify(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	got := s.Messages()
	if len(got) != 1 || strings.Join(got[0].To, " ") != "kim@privat.example" ||
		!strings.Contains(string(got[0].Data), "To: <kim@privat.example>\r\n") {
		t.Fatalf("%+v", got)
	}
	msg, err := mail.ReadMessage(strings.NewReader(string(got[0].Data)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
	if err != nil || !strings.Contains(string(body), "Buongiorno Kim Müller") {
		t.Errorf("%v\n%s", err, body)
	}
}
