package dovecottest_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// A request that ends too early: after its announced length, but within a string, it is
// answered as if it were whole, with what has been done; elsewhere it is refused, which undoes nothing.
func TestRequestCutOff(t *testing.T) {
	t.Parallel()
	create := func(box string) string {
		return `["mailboxCreate",{"user":"anna@school.test","mailbox":["` + box + `"]},"t"]`
	}
	const done = `[["doveadmResponse",[],"t"]]`
	type site struct{ url, key, imap string }
	start := map[string]func(t *testing.T) site{
		"real": func(t *testing.T) site {
			s := realServer(t)
			return site{s.URL, s.APIKey, s.IMAPAddr}
		},
		"simulator": func(t *testing.T) site {
			s := simulator(t)
			return site{s.URL, s.APIKey, s.IMAPAddr}
		},
	}
	for name, start := range start {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			for i, tt := range []struct {
				name, after string // what follows a command that is whole
				missing     int    // bytes that are announced and never come
				status      string
				answer      string
			}{
				{"nowhere", "]", 0, "200", done},
				{"after the command", "", 0, "400", "JSON parse error: "},
				{"after a comma", ",", 0, "400", "JSON parse error: "},
				{"in the next one's name", `,["mailboxSta`, 0, "200", done},
				{"in the next one's parameters", `,["mailboxCreate",{"user":"anna@sch`, 0, "200", done},
				{"after a parameter", `,["mailboxCreate",{"user":"anna@school.test"`, 0, "400", "JSON parse error: "},
				{"with the connection", "", 10, "400", "Client disconnected"},
				{"with the connection, in a string", `,["mailboxSta`, 10, "400", "Client disconnected"},
			} {
				box := fmt.Sprintf("box%d", i)
				body := "[" + create(box) + tt.after
				c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(c, "POST /doveadm/v1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: X-Dovecot-API %s\r\n"+
					"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
					base64.StdEncoding.EncodeToString([]byte(s.key)), len(body)+tt.missing, body)
				c.(*net.TCPConn).CloseWrite()
				c.SetReadDeadline(time.Now().Add(time.Minute))
				b, _ := io.ReadAll(c)
				c.Close()
				head, rest, _ := bytes.Cut(b, []byte("\r\n\r\n"))
				if got := strings.Fields(string(head) + " - -")[1]; got != tt.status ||
					!strings.HasPrefix(string(rest), tt.answer) {
					t.Errorf("%s: %s, %s", tt.name, head, rest)
				}
				r := imapLines(t, s.imap, "anna@school.test", `a LIST "" `+box)
				if made := slices.ContainsFunc(r, func(l string) bool { return strings.HasSuffix(l, " "+box) }); !made {
					t.Errorf("%s: the first command was not carried out: %q", tt.name, r)
				}
			}
		})
	}
}

// imapLines are the answers to one command.
func imapLines(t *testing.T, addr, user, command string) []string {
	t.Helper()
	return strings.Split(imapTranscript(t, []byte("= "+user+"\nC: "+command+"\n"), addr), "\n")
}
