package dovecotd_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/internal/dovecotd"
)

func TestStart(t *testing.T) {
	t.Parallel()
	s := dovecotd.Start(t, &dovecotd.Config{
		Users:     []dovecotd.User{{Name: "a@school.test", Password: "pw", QuotaRule: "*:storage=50M"}},
		Mailboxes: []dovecotd.Mailbox{{Name: "Sent Items", SpecialUse: `\Sent`, Auto: "create"}},
	})
	post := func(body string) string { return dovecotd.Post(t, s.URL, s.APIKey, body) }
	if got, want := post(`[["mailboxList",{"user":"a@school.test"},"t"]]`),
		`[["doveadmResponse",[{"mailbox":"Sent Items"},{"mailbox":"INBOX"}],"t"]]`; got != want {
		t.Errorf("mailboxList: %s, want %s", got, want)
	}
	if got := post(`[["quotaGet",{"user":"a@school.test"},"t"]]`); !strings.Contains(got, `"limit":"51200"`) {
		t.Errorf("quotaGet: %s, want the user's own limit of 51200 KiB", got)
	}

	if err := s.SetUsers(dovecotd.User{Name: "b@school.test", Password: "pw"}); err != nil {
		t.Fatal(err)
	}
	if got := post(`[["user",{"userMask":["b@school.test"],"field":"home"},"t"]]`); !strings.Contains(got,
		s.Home("b@school.test")) {
		t.Errorf("user added later: %s", got)
	}
	if err := s.RemoveUsers("b@school.test"); err != nil {
		t.Fatal(err)
	}
	if got := post(`[["user",{"userMask":["*"]},"t"]]`); strings.Contains(got, "b@school.test") {
		t.Errorf("user removed: %s", got)
	}

	for name, cred := range map[string]string{
		"own password": "\x00a@school.test\x00pw",
		"master user":  "a@school.test\x00" + s.MasterUser + "\x00" + s.MasterPassword,
	} {
		c, err := net.Dial("tcp", s.IMAPAddr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "a AUTHENTICATE PLAIN %s\r\nb LOGOUT\r\n", base64.StdEncoding.EncodeToString([]byte(cred)))
		var ok bool
		for sc := bufio.NewScanner(c); sc.Scan(); {
			ok = ok || strings.HasPrefix(sc.Text(), "a OK")
		}
		if c.Close(); !ok {
			t.Errorf("%s: no login", name)
		}
	}

	s.Stop()
	if c, err := net.Dial("tcp", s.IMAPAddr); err == nil {
		c.Close()
		t.Error("still listening after Stop")
	}
}

func TestStartError(t *testing.T) {
	t.Parallel()
	dovecotd.Start(t, nil).Stop() // skips when Dovecot is missing
	s, err := dovecotd.Run(&dovecotd.Config{Extra: "no_such_setting = 1"})
	if err == nil {
		s.Close()
		t.Fatal("started with an unknown setting")
	}
	if !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("error does not show the cause: %v", err)
	}
}
