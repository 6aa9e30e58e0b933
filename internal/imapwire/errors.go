package imapwire

import (
	"errors"
	"fmt"
	"strings"
)

// ErrConnection is in the chain of every error after which the connection
// cannot be used: network, timeout, context, end of stream, BYE.
var ErrConnection = errors.New("connection lost")

// Bye is why a server ended the session, or did not begin one.
type Bye struct {
	Code string // response code, upper case, or ""
	Text string // the server's words
}

func (b *Bye) Error() string { return "server ended the session: " + b.Text }

// Error is a server's refusal of one command.
type Error struct {
	Op     string // the command without its data: "APPEND", "SELECT"
	Status string // "NO" or "BAD"
	Code   string // response code, upper case: "TRYCREATE", "OVERQUOTA", or ""
	Text   string // the server's words
}

func (e *Error) Error() string {
	code := ""
	if e.Code != "" {
		code = "[" + e.Code + "] "
	}
	return fmt.Sprintf("imap: %s: server answers %s %s%s", e.Op, e.Status, code, e.Text)
}

// Temporary reports whether the same command may succeed later.
func (e *Error) Temporary() bool {
	switch e.Code {
	case "INUSE", "UNAVAILABLE", "SERVERBUG", "LIMIT", "CONTACTADMIN":
		return true
	}
	return false
}

// IsCode reports whether err is a refusal with one of the response codes.
func IsCode(err error, codes ...string) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}

// Temporary reports whether trying again, perhaps on a new connection, makes sense.
func Temporary(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Temporary()
	}
	return errors.Is(err, ErrConnection)
}

func connErr(op string, err error) error {
	if errors.Is(err, ErrConnection) {
		return err
	}
	return fmt.Errorf("imap: %s: %w: %w", op, ErrConnection, err)
}

// status is the "OK [CODE arg] text" part of a response.
type status struct {
	word, code, arg, text string
}

func parseStatus(line string) status {
	var s status
	s.word, s.text, _ = strings.Cut(line, " ")
	s.word = strings.ToUpper(s.word)
	if strings.HasPrefix(s.text, "[") {
		if end := strings.IndexByte(s.text, ']'); end > 0 {
			code, arg, _ := strings.Cut(s.text[1:end], " ")
			s.code, s.arg = strings.ToUpper(code), arg
			s.text = strings.TrimSpace(s.text[end+1:])
		}
	}
	return s
}
