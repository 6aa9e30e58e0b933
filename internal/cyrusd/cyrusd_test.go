package cyrusd_test

import (
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/internal/cyrusd"
)

func TestStart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		old  bool
		sent string
	}{
		"names of Cyrus 3": {false, "Sent"},
		"names before 3.0": {true, "INBOX.Sent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := cyrusd.Start(t, &cyrusd.Config{OldNames: tc.old, Users: []cyrusd.User{{Name: "anna", Password: "pw"}}})
			c, err := cyrusd.Dial(s.IMAPAddr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Do("LOGIN anna wrong"); err == nil {
				t.Fatal("login with a wrong password")
			}
			if _, err := c.Do("LOGIN anna pw"); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Do("CREATE %s", tc.sent); err != nil {
				t.Fatal(err)
			}
			if err := c.Append(tc.sent, `\Seen`, "", "Subject: x\r\n\r\nbody\r\n"); err != nil {
				t.Fatal(err)
			}
			out, err := c.Do(`LIST "" "*" RETURN (STATUS (MESSAGES))`)
			if err != nil || !strings.Contains(out, tc.sent+" (MESSAGES 1)") {
				t.Errorf("list %q, %v", out, err)
			}
			s.Stop()
			if c, err := cyrusd.Dial(s.IMAPAddr); err == nil {
				c.Close()
				t.Error("still listening after Stop")
			}
		})
	}
}
