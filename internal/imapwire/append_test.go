package imapwire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A body that goes on must never reach the server, which would take the rest
// for commands.
func TestAppendLongBody(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{3, directSize} {
		cli, srv := net.Pipe()
		got := make(chan string, 1)
		go func() {
			io.WriteString(srv, caps+"\r\n")
			b, _ := io.ReadAll(srv)
			got <- string(b)
		}()
		c, err := New(t.Context(), cli, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := c.Append(t.Context(), "A")
		a.Add(nil, time.Time{}, size, strings.NewReader(strings.Repeat("x", int(size))+"s9 DELETE INBOX\r\n"), false)
		if _, err := a.Commit(); !errors.Is(err, ErrConnection) || !strings.Contains(err.Error(), "goes on") {
			t.Errorf("%d bytes: %v", size, err)
		}
		if s := <-got; strings.Contains(s, "DELETE") {
			t.Errorf("%d bytes: the server read %q", size, s[max(len(s)-100, 0):])
		}
	}
}

// LITERAL- (RFC 7888): up to 4,096 bytes go without waiting, more only after
// the server's "+". Large content arrives as it is, past the buffer.
func TestLiteralMinus(t *testing.T) {
	t.Parallel()
	cli, srv := net.Pipe()
	t.Cleanup(func() { cli.Close() })
	large := strings.Repeat("0123456789abcde\n", directSize/16) + "end"
	ended := make(chan string, 1)
	go func() {
		ended <- func() string {
			r := bufio.NewReader(srv)
			io.WriteString(srv, "* OK [CAPABILITY IMAP4rev1 LITERAL- MULTIAPPEND UIDPLUS] hi\r\n")
			for _, n := range []int{4096, 4097, len(large)} {
				plus, want := "", large[:n]
				if n <= 4096 {
					plus = "+"
				}
				line, _ := r.ReadString('\n')
				if !strings.HasSuffix(line, fmt.Sprintf("() {%d%s}\r\n", n, plus)) {
					return fmt.Sprintf("%d bytes are announced as %q", n, line)
				}
				if r.Buffered() > 0 && plus == "" {
					return fmt.Sprintf("%d bytes do not wait", n)
				}
				if plus == "" {
					io.WriteString(srv, "* 3 EXISTS\r\n+ go on\r\n")
				}
				got := make([]byte, n)
				if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
					return fmt.Sprintf("%d bytes arrive as others: %v", n, err)
				}
			}
			r.ReadString('\n')
			io.WriteString(srv, "s1 OK [APPENDUID 7 4:6] done\r\n")
			return ""
		}()
		io.Copy(io.Discard, srv)
	}()
	c, err := New(t.Context(), cli, &Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	a := c.Append(t.Context(), "A")
	for _, n := range []int{4096, 4097, len(large)} {
		if err := a.Add(nil, time.Time{}, int64(n), strings.NewReader(large[:n]), false); err != nil {
			t.Fatalf("%d bytes: %v (server: %s)", n, err, <-ended)
		}
	}
	got, err := a.Commit()
	if why := <-ended; why != "" || err != nil || got.UIDs.String() != "4:6" {
		t.Errorf("%v, %v, server: %s", got, err, why)
	}
}
