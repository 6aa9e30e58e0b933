package schoolmail

import (
	"context"
	"slices"
	"testing"
)

// closer is a world whose groupware can close old copies.
type closer struct {
	*world
	closed []Place
}

func (c *closer) CloseCopy(_ context.Context, p Place, open bool) error {
	if !open {
		c.closed = append(c.closed, p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.contexts[p.Context].users[p.Username]
	u.spec.MailEnabled = open
	c.contexts[p.Context].users[p.Username] = u
	return nil
}

// TestTransferTakenBackByHand: whoever sets an account's context back to where its
// closed copy is kept has that copy opened by the next run, and is not transferred
// again without a reason.
func TestTransferTakenBackByHand(t *testing.T) {
	t.Parallel()
	w, p, plan := twoTerms(t, 28)
	c := &closer{world: w}
	ports := w.ports()
	ports.Groupware = c
	if r, err := Apply(t.Context(), plan, ports, &ApplyOptions{InitialPassword: testPassword}); err != nil ||
		r.Count(StatusFailed) > 0 {
		t.Fatal(err, r)
	}
	if w.contexts[20].users["ida.abel"].spec.MailEnabled {
		t.Fatal("the copy was not closed")
	}
	ida := w.accounts["ida.abel"]
	ida.Context, ida.Previous = 20, Previous{}
	w.accounts["ida.abel"] = ida
	delete(w.contexts[30].users, "ida.abel")
	r := Record{Key: RecordKey{"escada", "1"}, Role: RolePupil, GivenName: "Ida", FamilyName: "Abel",
		Memberships: []Membership{{School: "ps-a", Level: "primary"}}}
	next := w.run(p, delivery([]Record{r}), day0.AddDays(2))
	if n := next.Count(); n[KindTransfer] > 0 || !w.contexts[20].users["ida.abel"].spec.MailEnabled {
		t.Errorf("mail %v after\n%s", w.contexts[20].users["ida.abel"].spec.MailEnabled, next.Summary())
	}
}

// TestKeptCopiesAreClosed: after the directory is switched nobody works on in the copy
// that is kept for the grace; what is deleted at once needs no closing.
func TestKeptCopiesAreClosed(t *testing.T) {
	t.Parallel()
	for name, grace := range map[string]int{"kept": 28, "not kept": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _, plan := twoTerms(t, grace)
			c := &closer{world: w}
			ports := w.ports()
			ports.Groupware = c
			act := plan.Steps[0].Action.(TransferContext)
			r, err := Apply(t.Context(), plan, ports, &ApplyOptions{InitialPassword: testPassword})
			if err != nil || r.Count(StatusFailed) > 0 {
				t.Fatal(err, r)
			}
			var want []Place
			if grace > 0 {
				want = []Place{{Context: 20, UserID: act.OldCopy, Username: "ida.abel"}}
			}
			if !slices.Equal(c.closed, want) {
				t.Errorf("closed %v, want %v", c.closed, want)
			}
			recorded := false
			_ = ports.Journal.Entries(func(e JournalEntry) bool {
				recorded = recorded || e.Effect == "close-old-copy" && e.Phase == Done
				return true
			})
			if recorded != (grace > 0) {
				t.Errorf("in the journal: %v", recorded)
			}
		})
	}
}

// TestAnnouncedCopiesThatNeverBegan are no failures: the journal calls them abandoned.
func TestAnnouncedCopiesThatNeverBegan(t *testing.T) {
	t.Parallel()
	w, _, plan := twoTerms(t, 0)
	ports := w.ports()
	if err := ports.Journal.Append(JournalEntry{Plan: "earlier", Effect: effectCopy, Phase: Intent, Subject: "ida.abel",
		From: 20, To: 30}); err != nil {
		t.Fatal(err)
	}
	if _, err := Apply(t.Context(), plan, ports, &ApplyOptions{InitialPassword: testPassword}); err != nil {
		t.Fatal(err)
	}
	phases := map[JournalPhase]int{}
	_ = ports.Journal.Entries(func(e JournalEntry) bool {
		if e.Effect == effectCopy {
			phases[e.Phase]++
		}
		return true
	})
	if phases[Abandoned] != 1 || phases[Failed] != 0 {
		t.Errorf("%v", phases)
	}
}
