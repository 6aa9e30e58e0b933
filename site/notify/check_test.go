package notify_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/site/notify"
)

// A relay that is asked whether it is ready takes the log-in, or not, and gets no mail.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer  string
		refused bool
	}{{"235 2.7.0 welcome", false}, {"535 5.7.8 bad password", true}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan []string, 1)
		go func() { heard <- dialogue(l, c.answer) }()
		m, err := notify.New(l.Addr().String(), "a@school.test", &notify.Options{Username: "u", Password: "p"})
		if err != nil {
			t.Fatal(err)
		}
		err = m.Check(t.Context())
		if errors.Is(err, notify.ErrRefused) != c.refused || !c.refused && err != nil {
			t.Errorf("%s: %v", c.answer, err)
		}
		l.Close()
		if verbs := strings.Join(<-heard, " "); !strings.HasPrefix(verbs, "EHLO AUTH") || strings.Contains(verbs, "MAIL") {
			t.Errorf("the relay heard %s", verbs)
		}
	}
}

// dialogue is a relay that answers a log-in as told; it returns the commands it got.
func dialogue(l net.Listener, auth string) (verbs []string) {
	conn, err := l.Accept()
	if err != nil {
		return nil
	}
	defer conn.Close()
	fmt.Fprint(conn, "220 relay\r\n")
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		verb, _, _ := strings.Cut(lines.Text(), " ")
		verbs = append(verbs, verb)
		switch verb {
		case "EHLO":
			fmt.Fprint(conn, "250-relay\r\n250 AUTH PLAIN\r\n")
		case "AUTH":
			fmt.Fprint(conn, auth+"\r\n")
		default:
			fmt.Fprint(conn, "221 bye\r\n")
		}
	}
	return verbs
}
