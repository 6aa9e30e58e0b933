package smtpcapture_test

import (
	"fmt"
	"net/smtp"
	"net/textproto"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/internal/smtpcapture"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

func Example() {
	s, err := smtpcapture.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	err = smtp.SendMail(s.Addr(), nil, "a@school.example", []string{"b@school.example"},
		[]byte("Subject: hello\r\n\r\n.dot\r\n"))
	m := s.Messages()[0]
	fmt.Printf("%v %s %v %q\n", err, m.From, m.To, m.Data)
	// Output: <nil> a@school.example [b@school.example] "Subject: hello\r\n\r\n.dot\r\n"
}

// What RFC 5321 does not allow is refused, and the conversation goes on.
func TestStrict(t *testing.T) {
	t.Parallel()
	s := testlife.Of(smtpcapture.Start())(t)
	c, err := textproto.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, _, err := c.ReadResponse(220); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		send string
		code int
	}{
		{"MAIL FROM:<a@b>", 503},
		{"EHLO", 501},
		{"EHLO me", 250},
		{"RCPT TO:<a@b>", 503},
		{"MAIL FROM: <a@b>", 501},
		{"MAIL FROM:<a@b", 501},
		{"MAIL FROM:<a@b> BODY=8BITMIME", 250},
		{"MAIL FROM:<a@b>", 503},
		{"DATA", 503},
		{"RCPT TO:<nobody>", 501},
		{"RCPT TO:<c@d>", 250},
		{"RSET", 250},
		{"DATA", 503},
		{"VRFY c", 502},
		{"QUIT", 221},
	} {
		if err := c.PrintfLine("%s", step.send); err != nil {
			t.Fatal(err)
		}
		code, text, err := c.ReadResponse(0)
		if code != step.code {
			t.Errorf("%s: %d %s (%v), want %d", step.send, code, strings.TrimSpace(text), err, step.code)
		}
	}
	if s.Count() != 0 {
		t.Error("something was accepted")
	}
}
