package site

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ictmedia/schoolmail"
)

// memJournal is a journal of another run.
type memJournal []schoolmail.JournalEntry

func (j memJournal) Append(...schoolmail.JournalEntry) error { return errors.New("not here") }

func (j memJournal) Entries(f func(schoolmail.JournalEntry) bool) error {
	for _, e := range j {
		if !f(e) {
			break
		}
	}
	return nil
}

// After a run that was cut off while it copied users, transfers wait until the
// server must have ended the copy.
func TestAwaitCopies(t *testing.T) {
	t.Parallel()
	move := &schoolmail.Plan{Steps: []schoolmail.Step{{Action: schoolmail.TransferContext{}}}}
	create := &schoolmail.Plan{Steps: []schoolmail.Step{{Action: schoolmail.CreateAccount{}}}}
	for _, c := range []struct {
		name   string
		plan   *schoolmail.Plan
		phases []schoolmail.JournalPhase // of copies of anna, a minute apart; the last entry of the journal is a minute later
		ago    time.Duration             // before now
		want   time.Duration
	}{
		{"nothing was copied", move, nil, 0, 0},
		{"cut off a minute ago", move, []schoolmail.JournalPhase{schoolmail.Intent}, time.Minute, 4 * time.Minute},
		{"cut off long ago", move, []schoolmail.JournalPhase{schoolmail.Intent}, time.Hour, 0},
		{"a clock that was set back", move, []schoolmail.JournalPhase{schoolmail.Intent}, -time.Hour, 5 * time.Minute},
		{"the copy was ended", move, []schoolmail.JournalPhase{schoolmail.Intent, schoolmail.Done}, time.Minute, 0},
		{"the second one was not", move, []schoolmail.JournalPhase{schoolmail.Intent, schoolmail.Failed, schoolmail.Intent},
			time.Minute, 4 * time.Minute},
		{"no transfers", create, []schoolmail.JournalPhase{schoolmail.Intent}, time.Minute, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := time.Now().Add(-c.ago)
				var j memJournal
				for i, phase := range c.phases {
					j = append(j, schoolmail.JournalEntry{Time: end.Add(-time.Duration(len(c.phases)-i) * time.Minute),
						Effect: "copy-user", Phase: phase, Subject: "anna"})
				}
				j = append(j, schoolmail.JournalEntry{Time: end, Effect: "change-account", Phase: schoolmail.Done, Subject: "beat"})
				s := &Site{copyWait: 5 * time.Minute}
				history, err := schoolmail.ReadHistory(j)
				if err != nil {
					t.Fatal(err)
				}
				act := &Act{Plan: c.plan, World: &World{history: history}}
				begin := time.Now()
				if err := s.awaitCopies(t.Context(), act, nobody{}); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(begin); got != c.want {
					t.Errorf("waited %s, want %s", got, c.want)
				}
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if err := s.awaitCopies(ctx, act, nobody{}); c.want > 0 && time.Since(end) < s.copyWait && err == nil {
					t.Error("called off, it goes on")
				}
			})
		})
	}
}
