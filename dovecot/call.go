package dovecot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// Params are the parameters of a command. A value is a bool, int, int64,
// string or []string. A parameter without a value is left out: any other type is
// refused here, since not every server answers what it cannot read with an error. A
// false is not sent, as 2.3 takes any value of an option for true.
type Params map[string]any

// Call is a command with its parameters, for [Client.Do] and [Client.Batch].
type Call struct {
	// Command is the name as the API has it: "mailboxCreate".
	Command string
	Params  Params
}

// op is what the typed methods run: a call with what errors and retries need.
type op struct {
	call    Call
	user    string
	subject string
	again   bool // may be repeated without harm
	object  bool // answers an object instead of rows
	not     Kind // an error that is none, if any
}

// user makes an op for a mail command of a user.
func userOp(command, user, subject string, p Params) op {
	if p == nil {
		p = Params{}
	}
	p["user"] = user
	return op{call: Call{command, p}, user: user, subject: subject}
}

func (o op) repeatable() op { o.again = true; return o }

func (o op) refuse(format string, args ...any) *Error {
	return refuse(o.call.Command, o.user, o.subject, format, args...)
}

// check refuses what must not be sent.
func (o op) check() error {
	_, mail := o.call.Params["user"].(string)
	if mail || o.user != "" {
		if err := checkUser(o.user); err != nil {
			return o.refuse("%w", err)
		}
	}
	if err := checkParams(o.call.Params); err != nil {
		return o.refuse("%w", err)
	}
	return nil
}

// run checks and executes one command at one host.
func (c *Client) run(ctx context.Context, h *host, o op) (answer, error) {
	if err := o.check(); err != nil {
		return answer{}, err
	}
	answers, err := c.post(ctx, h, []Call{o.call})
	if err != nil {
		err.Op, err.User, err.Subject, err.again = o.call.Command, o.user, o.subject, o.again
		return answer{}, err
	}
	return answers[0], o.failure(h, answers[0])
}

// failure turns a failed answer into an error.
func (o op) failure(h *host, a answer) error {
	e := &Error{Op: o.call.Command, User: o.user, Subject: o.subject, Host: h.name, Status: http.StatusOK, again: o.again}
	switch a.errType {
	case "":
		if a.object != nil == o.object {
			return nil
		}
		e.Kind, e.Err = ErrProtocol, errors.New("answer of another shape")
	case "exitCode":
		e.Kind, e.ExitCode = kindOf(a.exitCode), a.exitCode
	case "unknownMethod":
		e.Kind = ErrUnsupported
	case "invalidRequest":
		e.Kind = ErrInvalid
	case "unAuthorized":
		e.Kind = ErrForbidden
	default:
		e.Kind, e.Err = ErrServer, errors.New(a.errType)
	}
	if o.not != "" && e.Kind == o.not {
		return nil
	}
	return e
}

// rows runs a command at the host for mail and returns the rows.
func (c *Client) rows(ctx context.Context, o op) ([]ResultRow, error) {
	a, err := c.run(ctx, c.hosts[0], o)
	return a.rows, err
}

// exec runs a command at the host for mail that answers nothing.
func (c *Client) exec(ctx context.Context, o op) error {
	_, err := c.run(ctx, c.hosts[0], o)
	return err
}

// malformed is the error for a row that lacks what it should have.
func (c *Client) malformed(o op, err error) error {
	return &Error{Op: o.call.Command, User: o.user, Subject: o.subject, Host: c.hosts[0].name, Kind: ErrProtocol,
		Status: http.StatusOK, Err: err, again: o.again}
}

// Do runs any command and returns its rows. It is the way to commands that
// have no method here. Command and parameters are checked against the list
// that the server itself gives ([Client.Server]): what does not fit it is refused
// here, since not every server answers it with an error.
//
// A "user" with * or ? is refused: it would run the command for every user
// that matches. To do just that, use "allUsers" or loop over [Client.Users]. The
// command "user" has no rows: see [Client.User] and [Client.Users].
func (c *Client) Do(ctx context.Context, command string, p Params) ([]ResultRow, error) {
	o, err := c.verify(ctx, Call{command, p})
	if err != nil {
		return nil, err
	}
	return c.rows(ctx, o)
}

// verify checks a call against the server's own list of commands.
func (c *Client) verify(ctx context.Context, call Call) (op, error) {
	user, _ := call.Params["user"].(string)
	o := op{call: call, user: user, object: call.Command == "user"}
	if o.object {
		return o, o.refuse("it answers no rows")
	}
	info, err := c.Server(ctx)
	if err != nil {
		return o, err
	}
	params, ok := info.Commands[call.Command]
	if !ok {
		return o, &Error{Op: call.Command, User: user, Host: c.hosts[0].name, Kind: ErrUnsupported}
	}
	for _, name := range sortedKeys(call.Params) {
		typ, ok := params[name]
		if !ok {
			return o, &Error{Op: call.Command, User: user, Host: c.hosts[0].name, Kind: ErrUnsupported,
				Err: fmt.Errorf("no parameter %q", name)}
		}
		if !typ.accepts(call.Params[name]) {
			return o, o.refuse("parameter %q is of type %s, not %T", name, typ, call.Params[name])
		}
	}
	if _, mail := params["allUsers"]; mail {
		all, _ := call.Params["allUsers"].(bool)
		if _, file := call.Params["userFile"]; user == "" && !all && !file {
			return o, o.refuse("no user given")
		}
	}
	return o, nil
}

// checkUser refuses names that the server would not take as a name. A name
// with * or ? is a mask to it, and runs the command for all users that match.
func checkUser(name string) error {
	switch {
	case name == "":
		return errors.New("empty user name")
	case strings.ContainsAny(name, "*?"):
		return errors.New("user name contains * or ?, which would select many users")
	}
	return checkText(name)
}

// checkText refuses what would not arrive as it was meant: bytes that are not
// UTF-8 would be replaced, a NUL would end the string.
func checkText(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("text is not UTF-8")
	}
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
		return errors.New("text contains control characters")
	}
	return nil
}

func checkParams(p Params) error {
	for _, name := range sortedKeys(p) {
		var err error
		switch v := p[name].(type) {
		case bool, int, int64:
		case string:
			if name == "file" { // a message or script: lines are fine
				if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
					err = errors.New("only UTF-8 text without NUL can be sent")
				}
				break
			}
			err = checkText(v)
		case []string:
			for _, s := range v {
				if err = checkText(s); err != nil {
					break
				}
			}
		default:
			err = fmt.Errorf("unusable type %T", v)
		}
		if err != nil {
			return fmt.Errorf("parameter %q: %w", name, err)
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
