// Package monitor leaves what a monitor should know of the last run: a status file
// of JSON at a stable path, the same figures as Prometheus text for a textfile
// collector, and a verdict in one line as Nagios-like monitors want it.
//
// None of them names a person. The files are replaced as a whole, so that a
// reader never sees half of one, and anybody may read them (mode 0644).
//
// [Status] documents the fields. A run that fails or is refused writes a status,
// too, and keeps what the status before said of the last success; so the age of
// LastSuccess is what to watch:
//
//	st, err := monitor.Read("/var/lib/schoolmail/status.json")
//	level, line := st.Verdict(time.Now(), 26*time.Hour)
package monitor

import (
	"slices"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Format is the version of the status file's fields. Fields are added within a
// version; a field that changes its meaning gets another version.
const Format = 1

// Status is what is known after a run. Times are UTC, to the second.
type Status struct {
	Format   int       `json:"format"`
	District string    `json:"district"`
	Applied  bool      `json:"applied"` // the run was to change something; false: only planned
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	// ExitStatus is the program's: 0 all done, 1 failed, 2 bad configuration or
	// export, 3 something held back or failed for single people.
	ExitStatus int `json:"exit_status"`
	// LastSuccess is the end of the last run that was applied and came to its
	// end (exit status 0 or 3); LastClean that of the last with exit status 0.
	// Zero: never so far.
	LastSuccess time.Time `json:"last_success,omitzero"`
	LastClean   time.Time `json:"last_clean,omitzero"`

	Export   Export    `json:"export"`
	Accounts int       `json:"accounts"` // managed ones, before the run
	Findings int       `json:"findings"` // what somebody should look at
	Steps    []Steps   `json:"steps"`
	Contexts []Context `json:"contexts"`
	// Requests say what servers were asked, and how quickly they answered. One that the
	// run has not asked stands there as the last run that did has seen it.
	Requests []Requests `json:"requests"`
}

// Requests counts what a server was asked: ldap, ox-soap, doveadm or smtp.
type Requests struct {
	Server string `json:"server"`
	Count  int64  `json:"count"` // in the run, or 0
	// Microseconds is how long a request took on average; 0: not measured.
	Microseconds int64 `json:"microseconds"`
}

// Export is the delivery that the run was made from.
type Export struct {
	Written  time.Time `json:"written,omitzero"` // modification of its newest file; zero: not known
	Records  int       `json:"records"`
	Rejected int       `json:"rejected"` // rows
}

// Steps counts the steps of a kind, for example "transfer". Planned ones are done,
// failed or skipped once the run is over; held ones come on top.
type Steps struct {
	Kind    string `json:"kind"`
	Planned int    `json:"planned"`
	Done    int    `json:"done"`
	Failed  int    `json:"failed"`
	Skipped int    `json:"skipped"`
	Held    int    `json:"held"`
}

// Context tells how full an Open-Xchange context is after the run.
type Context struct {
	ID       schoolmail.ContextID `json:"id"`
	Name     string               `json:"name"`
	Users    int                  `json:"users"`
	Capacity int                  `json:"capacity"` // 0: no limit is known
}

// follows takes over from the status before what this run does not say itself.
func (s *Status) follows(before *Status) {
	s.Format = Format
	s.Started, s.Ended = s.Started.UTC().Truncate(time.Second), s.Ended.UTC().Truncate(time.Second)
	s.Export.Written = s.Export.Written.UTC().Truncate(time.Second)
	if before != nil {
		for _, r := range before.Requests {
			i := slices.IndexFunc(s.Requests, func(o Requests) bool { return o.Server == r.Server })
			switch {
			case i < 0:
				r.Count = 0
				s.Requests = append(s.Requests, r)
			case s.Requests[i].Microseconds == 0:
				s.Requests[i].Microseconds = r.Microseconds
			}
		}
	}
	if before != nil {
		s.LastSuccess, s.LastClean = before.LastSuccess, before.LastClean
		if s.Contexts == nil { // the run did not get that far
			s.Contexts, s.Accounts, s.Export = before.Contexts, before.Accounts, before.Export
		}
	}
	if s.Applied && (s.ExitStatus == 0 || s.ExitStatus == 3) {
		s.LastSuccess = s.Ended
		if s.ExitStatus == 0 {
			s.LastClean = s.Ended
		}
	}
}

// sum adds up the steps of all kinds.
func (s *Status) sum() Steps {
	var t Steps
	for _, k := range s.Steps {
		t.Planned += k.Planned
		t.Done += k.Done
		t.Failed += k.Failed
		t.Skipped += k.Skipped
		t.Held += k.Held
	}
	return t
}
