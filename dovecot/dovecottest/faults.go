package dovecottest

import (
	"slices"
	"strings"
	"time"
)

// Fault makes doveadm commands fail. Those that a fault matches meet the first
// one that is not used up.
type Fault struct {
	// Command and User select; empty matches all.
	Command, User string
	// Skip lets that many matching commands pass first; Times is how many then
	// fail, 1 when 0, all when negative.
	Skip, Times int

	// What happens, the first that is set:

	// Delay waits before anything else happens, and may be all that happens.
	Delay time.Duration
	// ExitCode is the answer, with nothing done.
	ExitCode int
	// Status is the HTTP status of the whole request, with nothing done.
	Status int
	// Disconnect closes the connection with nothing done, DisconnectAfter when all is
	// done: the client cannot tell.
	Disconnect, DisconnectAfter bool

	seen int
}

// Inject arms a fault of doveadm until remove is called.
func (s *Server) Inject(f Fault) (remove func()) { return arm(s, &s.faults, &f) }

// InjectIMAP arms a fault of IMAP until remove is called.
func (s *Server) InjectIMAP(f IMAPFault) (remove func()) { return arm(s, &s.imapFault, &f) }

func arm[F any](s *Server, armed *[]*F, f *F) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*armed = append(*armed, f)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		*armed = slices.DeleteFunc(*armed, func(g *F) bool { return g == f })
	}
}

// fault returns what shall befall a command.
func (s *Server) fault(command, user string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Command != "" && f.Command != command || f.User != "" && f.User != user {
			continue
		}
		if hit(&f.seen, f.Skip, f.Times) {
			return *f
		}
	}
	return Fault{}
}

// hit counts a match and reports whether the fault strikes.
func hit(seen *int, skip, times int) bool {
	if times == 0 {
		times = 1
	}
	*seen++
	return *seen > skip && (times < 0 || *seen <= skip+times)
}

// IMAPFault makes IMAP commands fail.
type IMAPFault struct {
	// Command is the command in capitals, "APPEND", "UID FETCH"; User the
	// logged-in user. Empty matches all.
	Command, User string
	// Skip and Times are as in [Fault].
	Skip, Times int

	// Delay waits before the command is carried out.
	Delay time.Duration
	// No is the text of a NO answer, with nothing done: "[OVERQUOTA] full".
	// Literals are read and thrown away.
	No string
	// Disconnect closes the connection before the command is carried out, DisconnectAfter
	// after it, with no answer.
	Disconnect, DisconnectAfter bool
	// CutInput closes the connection after that many bytes of the command's
	// first literal have been read; -1 cuts before the first byte.
	CutInput int64
	// CutOutput closes the connection after that many bytes of the answer;
	// -1 cuts before the first byte.
	CutOutput int64

	seen int
}

func (s *Server) faultIMAP(command, user string) IMAPFault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.imapFault {
		if f.Command != "" && !strings.EqualFold(f.Command, command) || f.User != "" && f.User != user {
			continue
		}
		if hit(&f.seen, f.Skip, f.Times) {
			return *f
		}
	}
	return IMAPFault{}
}

// Call is a doveadm command that the server has received.
type Call struct {
	Command string
	User    string // the parameter "user", if any
	Params  map[string]any
	// Result is "ok", "exit 67" or another error type, "dropped" when the
	// connection was closed.
	Result string
}

// Calls returns the doveadm commands received so far, in order.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// ResetCalls forgets the calls so far.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// KeepCalls switches the recording of calls on or off; it is on at first. A
// server that lives long and is not looked at should switch it off.
func (s *Server) KeepCalls(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepCalls = on
	if !on {
		s.calls = nil
	}
}

func (s *Server) record(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keepCalls {
		s.calls = append(s.calls, c)
	}
}
