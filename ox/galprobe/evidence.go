package galprobe

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Verdict says what a path gives away.
type Verdict string

// The verdicts.
const (
	Closed   Verdict = "closed"           // nothing of anybody else, while the control account got something
	Limited  Verdict = "limited to names" // names, perhaps with the primary address
	Open     Verdict = "open"             // entries of the global address book, or more than names
	Unproved Verdict = "unproved"         // nothing, but the control account got nothing either
	// NotOffered: the server does not know the call, whoever makes it. A path that is
	// not there gives nothing away, and a server that gets it with an update is found
	// out by the next run.
	NotOffered Verdict = "not offered here"
	Failed     Verdict = "failed"        // could not be asked
	Updating   Verdict = "being updated" // the context's database is, so that nobody can log in: ask again later
)

// Call is a request as made, without anything personal in it.
type Call struct {
	Time    time.Time `json:"time"`
	Request string    `json:"request"`
	Status  int       `json:"status"`         // HTTP; 0 without an answer
	Code    string    `json:"code,omitempty"` // OX's error code
	Rows    int       `json:"rows"`           // entries of other people in the answer
}

// Finding is the outcome of one path for one account.
type Finding struct {
	Path     string   `json:"path"` // see [Paths]
	Verdict  Verdict  `json:"verdict"`
	Reason   string   `json:"reason"`
	BeyondOX bool     `json:"beyond_ox,omitempty"` // OX has no means to close this path
	Rows     int      `json:"rows"`                // entries of other people, in the call that gave most
	Fields   []string `json:"fields,omitempty"`    // names of the fields filled for other people
	Calls    []Call   `json:"calls"`

	// ControlRows is what the control account got on the same path.
	ControlRows  int    `json:"control_rows"`
	ControlCalls []Call `json:"control_calls"`

	// SilentCalls counts the calls that were answered with nothing to the account
	// and to the control account alike; they prove nothing by themselves.
	SilentCalls int `json:"silent_calls,omitempty"`

	// Unconfirmed marks a path whose request form is not confirmed for any server.
	Unconfirmed bool `json:"unconfirmed,omitempty"`
}

// AccountEvidence is everything about one ordinary account.
type AccountEvidence struct {
	Role     string            `json:"role"`
	UserID   schoolmail.UserID `json:"user_id"`
	Findings []Finding         `json:"findings"`
	Book     *BookFinding      `json:"book,omitempty"`
}

// ContextEvidence is everything about one context.
type ContextEvidence struct {
	Name     string               `json:"name"`
	Context  schoolmail.ContextID `json:"context"`
	Users    int                  `json:"users"` // as the control account sees them
	Accounts []AccountEvidence    `json:"accounts"`
	Error    string               `json:"error,omitempty"`    // why the context could not be probed
	Updating bool                 `json:"updating,omitempty"` // because its database was being updated
}

// Evidence is the result of a run, to be kept.
type Evidence struct {
	Format        string            `json:"format"` // "schoolmail-galprobe-1"
	Started       time.Time         `json:"started"`
	Finished      time.Time         `json:"finished"`
	Server        string            `json:"server"`
	ServerVersion string            `json:"server_version,omitempty"` // as the server says, if it does
	Requests      int               `json:"requests"`
	Contexts      []ContextEvidence `json:"contexts"`
	Access        []AccessReport    `json:"access,omitempty"` // see [CheckAccess]
	Counts        Counts            `json:"counts"`
}

// Counts sums up findings.
type Counts struct {
	Closed      int `json:"closed"`
	Limited     int `json:"limited_to_names"` // which OX cannot close
	Open        int `json:"open"`
	Unproved    int `json:"unproved"`
	Unconfirmed int `json:"unconfirmed"` // unproved, and the request form is not confirmed
	NotOffered  int `json:"not_offered"` // paths that this server does not have
	Updating    int `json:"updating"`    // contexts that could not be probed now
	Failed      int `json:"failed"`      // findings, and contexts that could not be probed
}

// Count counts the findings and stores the result in e.Counts.
func (e *Evidence) Count() Counts {
	var c Counts
	for _, ctx := range e.Contexts {
		switch {
		case ctx.Updating:
			c.Updating++
		case ctx.Error != "":
			c.Failed++
		}
		for _, a := range ctx.Accounts {
			for _, f := range a.Findings {
				switch {
				case f.Verdict == Closed:
					c.Closed++
				case f.Verdict == Limited:
					c.Limited++
				case f.Verdict == Open:
					c.Open++
				case f.Verdict == NotOffered:
					c.NotOffered++
				case f.Verdict == Unproved && f.Unconfirmed:
					c.Unconfirmed++
				case f.Verdict == Unproved:
					c.Unproved++
				default:
					c.Failed++
				}
			}
			if b := a.Book; b != nil {
				switch b.Verdict {
				case Closed:
					c.Closed++
				case Open:
					c.Open++
				default:
					c.Failed++
				}
			}
		}
	}
	for _, a := range e.Access {
		c.Open += len(a.Open)
		if a.Error != "" && !a.Updating {
			c.Failed++
		}
	}
	e.Counts = c
	return c
}

// Verdict sums the findings up: [Open] if anything is, [Failed] if something could
// not be asked or proved, [Updating] if a context could not be asked now, else
// [Closed]. What is limited to names does not change it, because OX cannot close that,
// and neither does what the server does not have.
func (e *Evidence) Verdict() Verdict {
	c := e.Count()
	switch {
	case c.Open > 0:
		return Open
	case c.Failed > 0 || c.Unproved > 0:
		return Failed
	case c.Updating > 0:
		return Updating
	case c.Closed == 0:
		return Failed
	}
	return Closed
}

// WriteJSON writes the evidence file.
func (e *Evidence) WriteJSON(w io.Writer) error {
	e.Count()
	b, err := json.MarshalIndent(e, "", "  ")
	if err == nil {
		_, err = w.Write(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("galprobe: write evidence: %w", err)
	}
	return nil
}

// writeText writes the paths that are not closed.
func (a *AccountEvidence) writeText(b *strings.Builder) {
	closed := 0
	for _, f := range a.Findings {
		if f.Verdict == Closed {
			closed++
		}
	}
	fmt.Fprintf(b, "  %s: %d of %d paths closed\n", a.Role, closed, len(a.Findings))
	for _, f := range a.Findings {
		if f.Verdict == Closed {
			continue
		}
		note := ""
		if f.BeyondOX {
			note = "; OX cannot close this"
		}
		fmt.Fprintf(b, "    %-18s %s: %s%s\n", f.Path, f.Verdict, f.Reason, note)
	}
	if a.Book != nil {
		fmt.Fprintf(b, "    %-18s %s: %s\n", "own address book", a.Book.Verdict, a.Book.Reason)
	}
}

// WriteText writes a summary for people: a line per path that is not closed, and
// the counts.
func (e *Evidence) WriteText(w io.Writer) error {
	c := e.Count()
	var b strings.Builder
	for _, ctx := range e.Contexts {
		fmt.Fprintf(&b, "context %d %s, %d users\n", ctx.Context, ctx.Name, ctx.Users)
		if ctx.Error != "" {
			fmt.Fprintf(&b, "  not probed: %s\n", ctx.Error)
		}
		for _, a := range ctx.Accounts {
			a.writeText(&b)
		}
	}
	for _, a := range e.Access {
		fmt.Fprintf(&b, "context %d: permission on the global address book: %d users, %d closed, %d closed just now, %d "+
			"exempt, %d still open\n",
			a.Context, a.Users, a.Closed, len(a.Changed), a.Exempt, len(a.Open))
		if a.Error != "" {
			fmt.Fprintf(&b, "  not finished: %s\n", a.Error)
		}
	}
	notOffered := ""
	if c.NotOffered > 0 {
		notOffered = fmt.Sprintf("not offered here %d, ", c.NotOffered)
	}
	fmt.Fprintf(&b, "closed %d, open %d, unproved %d (and %d unconfirmed), %sfailed %d; beyond what OX can close: %d "+
		"limited to names\n",
		c.Closed, c.Open, c.Unproved, c.Unconfirmed, notOffered, c.Failed, c.Limited)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("galprobe: write summary: %w", err)
	}
	return nil
}

// names lists the members of a set in order.
func names(set map[string]bool) []string {
	var out []string
	for n := range set {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}
