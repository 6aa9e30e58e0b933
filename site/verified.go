package site

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/site/report"
)

// copiesFile is the report of the copies in a run's folder.
const copiesFile = "copies.json"

// CopyReport says of one person who was transferred what was compared before the
// directory was switched, and what the copy does not carry. Where it is kept the user
// name is the key of the person's record.
type CopyReport struct {
	Username    string               `json:"username"`
	From        schoolmail.ContextID `json:"from"`
	To          schoolmail.ContextID `json:"to"`
	Compared    map[string]string    `json:"compared,omitempty"` // the same on both sides
	NotVerified string               `json:"not_verified,omitempty"`
	Lost        []string             `json:"lost"`
}

// verified collects what became known of the copies of a run.
type verified struct {
	mu     sync.Mutex
	copies []CopyReport
}

func (v *verified) add(x ox.Verification) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.copies = append(v.copies, CopyReport{Username: x.To.Username, From: x.From.Context, To: x.To.Context,
		Compared: x.Compared, NotVerified: x.NotVerified, Lost: x.Lost})
}

// take returns the reports in the order of user names and forgets them.
func (v *verified) take() []CopyReport {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := v.copies
	v.copies = nil
	slices.SortFunc(out, func(a, b CopyReport) int { return cmp.Compare(a.Username, b.Username) })
	return out
}

// leaveCopies writes the report of an act's copies into its folder, if it made any.
func (s *Site) leaveCopies(act *Act) error {
	act.Copies = s.verified.take()
	if len(act.Copies) == 0 {
		return nil
	}
	b, err := json.MarshalIndent(act.register.copies(act.Copies), "", "  ")
	if err != nil {
		return fmt.Errorf("report of the copies: %w", err)
	}
	return atomicfile.WriteBytes(filepath.Join(act.Folder, copiesFile), atomicfile.Private, append(b, '\n'))
}

// copies returns the reports as they are kept.
func (r *register) copies(list []CopyReport) []CopyReport {
	out := slices.Clone(list)
	for i := range out {
		c := &out[i]
		c.Username, c.NotVerified = r.sentence(c.Username), r.sentence(c.NotVerified)
		c.Lost = slices.Clone(c.Lost)
		for j := range c.Lost {
			c.Lost[j] = r.sentence(c.Lost[j])
		}
	}
	return out
}

// contentReader logs in as users in the way that the settings grant.
func (s *Site) contentReader(set *Settings) (*appsuite.ContentReader, error) {
	client, err := appsuite.New(set.CopyHTTPURL, &appsuite.Options{HTTPClient: set.OX.HTTPClient,
		UpdateWait: set.OX.DatabaseUpdateWait, Observer: s.teller.http()})
	if err != nil {
		return nil, err
	}
	names := map[schoolmail.ContextID]string{}
	for _, c := range set.Policy.Contexts {
		names[c.ID] = c.Name
	}
	return &appsuite.ContentReader{Client: client, Credentials: func(p schoolmail.Place) (appsuite.Credentials, error) {
		context := cmp.Or(names[p.Context], fmt.Sprint(int(p.Context)))
		name := strings.NewReplacer("{username}", p.Username, "{context}", context).Replace(set.CopyLogin)
		return appsuite.Credentials{Name: name, Password: set.CopyPassword}, nil
	}}, nil
}

// groupwareEvents keeps what becomes known of copies, passes on to the run what else is
// told, and all of it to an observer that was set.
func (s *Site) groupwareEvents(also ox.Observer) ox.Observer {
	return ox.ObserverFunc(func(e ox.Event) {
		if e.Verification != nil {
			s.verified.add(*e.Verification)
		} else {
			s.teller.tell(e.String())
		}
		if also != nil {
			also.Observe(e)
		}
	})
}

// copiesNotes say how many copies were compared, and what of how many was not verified.
func copiesNotes(copies []CopyReport) []report.Note {
	if len(copies) == 0 {
		return nil
	}
	compared, unread := 0, map[string]int{}
	for _, c := range copies {
		if len(c.Compared) > 0 {
			compared++
		}
		for part := range strings.SplitSeq(c.NotVerified, "; ") {
			if what, _, _ := strings.Cut(part, ":"); what != "" {
				unread[what]++
			}
		}
	}
	notes := []report.Note{report.NewNote("note.copies", strconv.Itoa(compared), strconv.Itoa(len(copies)), copiesFile)}
	if len(unread) > 0 {
		var parts []string
		for _, what := range slices.Sorted(maps.Keys(unread)) {
			parts = append(parts, fmt.Sprintf("%s (%d)", what, unread[what]))
		}
		notes = append(notes, report.NewNote("note.not-verified", strings.Join(parts, ", ")))
	}
	return notes
}
