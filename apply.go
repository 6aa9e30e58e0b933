package schoolmail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Ports are the live systems that [Apply] works on.
type Ports struct {
	Directory Directory
	Groupware Groupware
	Mailstore Mailstore
	Notifier  Notifier
	Journal   Journal
}

// ApplyOptions tune [Apply]. The zero value works for plans that create no
// accounts.
type ApplyOptions struct {
	// Parallel is the number of people worked on at the same time; 0 means 16.
	// The ports keep their own limits per server.
	Parallel int
	// InitialPassword gives the first password of a new account. It is asked
	// before the account is made, and must have stored the password where
	// people get it from, so that a crash loses none. Asked again for the same
	// account it gives the same answer.
	InitialPassword func(Account) (Secret, error)
	// Clock stamps journal entries; nil leaves stamping to the journal.
	Clock func() time.Time
	// Observer is told about progress; nil: nobody.
	Observer Observer
	// By says who has approved the plan and who applies it; the journal keeps it.
	By string
	// GiveUpAfter ends the run when so many steps in a row have failed, which
	// means that a server is down rather than a person's data odd; 0 means 25.
	GiveUpAfter int
}

// Observer hears what [Apply] does. It is called from many goroutines at once
// and must not block.
type Observer interface {
	Observe(Event)
}

// ObserverFunc makes an Observer of a function.
type ObserverFunc func(Event)

// Observe calls the function.
func (f ObserverFunc) Observe(e Event) { f(e) }

// Event tells that a step has ended.
type Event struct {
	Outcome Outcome
	Ended   int // steps that have ended so far, this one included
	Total   int // steps of the plan
}

// Status is how a step ended.
type Status string

// A step is done (or was so already), has failed, or was skipped because a
// step it depends on was not done or the run ended.
const (
	StatusDone    Status = "done"
	StatusFailed  Status = "failed"
	StatusSkipped Status = "skipped"
)

// Outcome is how one step ended.
type Outcome struct {
	Step    string    `json:"step"`
	Kind    Kind      `json:"kind"`
	Subject string    `json:"subject"`
	School  SchoolID  `json:"school,omitempty"`
	From    ContextID `json:"from,omitempty"` // of transfers
	To      ContextID `json:"to,omitempty"`
	Status  Status    `json:"status"`
	Error   string    `json:"error,omitempty"`
}

// Result is what came of a plan.
type Result struct {
	Plan     string    `json:"plan"`
	Outcomes []Outcome `json:"outcomes"` // in the order of the plan's steps
}

// Count returns how many steps ended with a status.
func (r *Result) Count(s Status) int {
	n := 0
	for i := range r.Outcomes {
		if r.Outcomes[i].Status == s {
			n++
		}
	}
	return n
}

// ErrGaveUp is returned by [Apply] when too many steps failed in a row.
var ErrGaveUp = errors.New("schoolmail: too many steps failed one after the other")

// Apply carries a plan out. The steps of one person are done in order, people
// in parallel. Before each outside effect its intent is on stable storage, and
// afterwards its result. Every step looks at the live systems first: what is so
// already is success, what is not as planned fails the step and skips the
// person's further steps, but not other people's.
//
// After a crash there are two ways on, both with the same journal. Apply the same
// plan again: steps that are on record as done are left out, and the others find
// what is so already. Or observe and plan again: accounts half made are
// completed, and copies that a cut-off transfer left behind are recognised as
// our own.
//
// The error is nil when every step was tried, even if some failed: see the
// result. It is not nil when the run ended early: the context was cancelled,
// the journal cannot be written, or [ErrGaveUp]. A plan that does what no plan
// does ([ErrForbidden]) is refused before anything is done.
func Apply(ctx context.Context, plan *Plan, ports Ports, opts *ApplyOptions) (*Result, error) {
	a := &applier{Ports: ports, plan: plan, unwritten: map[string][]JournalEntry{}}
	if opts != nil {
		a.ApplyOptions = *opts
	}
	a.Parallel = cmp.Or(a.Parallel, 16)
	a.GiveUpAfter = cmp.Or(a.GiveUpAfter, 25)
	ctx, a.stop = context.WithCancelCause(ctx)
	defer a.stop(nil)
	if err := a.check(); err != nil {
		return nil, err
	}
	var err error
	if a.history, err = ReadHistory(a.Journal); err != nil {
		return nil, err
	}
	a.before = *a.history.of(plan.Header.ID)
	if err := a.settleProofs(ctx); err != nil {
		return nil, err
	}
	a.prepare()
	if len(plan.Steps) > 0 {
		if err := a.begin(); err != nil {
			return a.result(), err
		}
	}
	stopWaiting := context.AfterFunc(ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.changed.Broadcast()
	})
	defer stopWaiting()
	a.run(ctx)
	if err := context.Cause(ctx); err != nil {
		return a.result(), err
	}
	if len(plan.Steps) > 0 {
		if err := a.journal(JournalEntry{Effect: effectPlan, Phase: Done}); err != nil {
			return a.result(), err
		}
	}
	return a.result(), nil
}

// begin journals that the plan begins, who stands for it, and which overrides it
// made use of.
func (a *applier) begin() error {
	if err := a.journal(JournalEntry{Effect: effectPlan, Phase: Intent, By: a.By}); err != nil {
		return err
	}
	for i := range a.plan.Findings {
		if f := &a.plan.Findings[i]; f.Kind == "override" {
			if err := a.journal(JournalEntry{Effect: effectOverride, Phase: Done, By: f.Text}); err != nil {
				return err
			}
		}
	}
	return nil
}

type applier struct {
	Ports
	ApplyOptions
	plan    *Plan
	stop    context.CancelCauseFunc
	history *History
	before  planHistory         // what earlier runs have done of this plan
	chain   map[RecordKey][]int // indexes of a person's steps

	mu        sync.Mutex
	changed   *sync.Cond
	outcomes  []Outcome
	unwritten map[string][]JournalEntry // by step: results that wait for the next entry
	byID      map[string]int
	ended     int
	inRow     int // failures one after the other
	first     int // index of the first step that has not ended
	users     map[ContextID]int
	capacity  map[ContextID]int
	queue     map[ContextID][]int // steps that are still to take a seat, in the order of the plan
}

// check refuses a plan whose steps have no order, or that does what no plan does.
func (a *applier) check() error {
	seen := make(map[string]bool, len(a.plan.Steps))
	for _, s := range a.plan.Steps {
		for _, id := range s.After {
			if !seen[id] {
				return fmt.Errorf("schoolmail: step %s depends on %s, which does not come before it", s.ID, id)
			}
		}
		if seen[s.ID] {
			return fmt.Errorf("schoolmail: step %s is in the plan twice", s.ID)
		}
		seen[s.ID] = true
	}
	return forbidden(a.plan)
}

func (a *applier) prepare() {
	a.changed = sync.NewCond(&a.mu)
	a.outcomes = make([]Outcome, len(a.plan.Steps))
	a.byID = make(map[string]int, len(a.plan.Steps))
	a.chain = make(map[RecordKey][]int, len(a.plan.Steps))
	a.users, a.capacity, a.queue = map[ContextID]int{}, map[ContextID]int{}, map[ContextID][]int{}
	for i, s := range a.plan.Steps {
		a.byID[s.ID] = i
		a.chain[s.Key] = append(a.chain[s.Key], i)
		o := Outcome{Step: s.ID, Kind: s.Kind(), Subject: s.Subject, School: s.School}
		if s.Action.nature().copies {
			o.From, o.To = s.Action.move()
		}
		a.outcomes[i] = o
		if c := s.Action.takes(); c != 0 {
			a.queue[c] = append(a.queue[c], i)
		}
	}
	for _, f := range a.plan.Forecast {
		a.users[f.Context] = f.Before
		if f.Capacity > 0 {
			a.capacity[f.Context] = f.Capacity
		}
	}
}

// run hands the steps out in the order of the plan. A worker may wait for an
// earlier step of the same person or for a seat; since everything it can wait
// for was handed out before, the workers cannot block each other for ever.
func (a *applier) run(ctx context.Context) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range a.Parallel {
		wg.Go(func() {
			for i := range next {
				a.one(ctx, i)
			}
		})
	}
feed:
	for i := range a.plan.Steps {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
}

func (a *applier) one(ctx context.Context, i int) {
	s := &a.plan.Steps[i]
	if why := a.await(ctx, s); why != "" {
		a.end(i, StatusSkipped, errors.New(why))
		return
	}
	seat, err := a.takeSeat(ctx, i)
	if err == nil {
		if !a.before.done[s.ID] {
			if err = s.Action.carryOut(ctx, a, s); err == nil {
				err = a.journal(JournalEntry{Step: s.ID, Effect: effectStep, Phase: Done, Subject: s.Subject})
			} else {
				err = errors.Join(err, a.write(a.waiting(s.ID)))
			}
		}
		seat.took = err == nil
	}
	a.releaseSeat(s, seat, err)
	switch {
	case err == nil:
		a.end(i, StatusDone, nil)
	case ctx.Err() != nil:
		a.end(i, StatusSkipped, err)
	default:
		a.end(i, StatusFailed, err)
	}
}

// await waits until the steps that s depends on have ended and returns why s
// cannot be done, if so.
func (a *applier) await(ctx context.Context, s *Step) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range s.After {
		j := a.byID[id]
		for a.outcomes[j].Status == "" && ctx.Err() == nil {
			a.changed.Wait()
		}
		if a.outcomes[j].Status != StatusDone {
			return fmt.Sprintf("step %s was not done", id)
		}
	}
	if ctx.Err() != nil {
		return "the run ended"
	}
	return ""
}

func (a *applier) end(i int, st Status, err error) {
	a.mu.Lock()
	o := &a.outcomes[i]
	o.Status = st
	if err != nil {
		o.Error = err.Error()
	}
	a.ended++
	a.leaveQueue(a.plan.Steps[i].Action.takes(), i)
	switch st {
	case StatusDone:
		a.inRow = 0
	case StatusFailed:
		// What is odd about one person says nothing about the servers, and a context
		// whose database is being updated nothing about the others.
		if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrUpdating) {
			break
		}
		if a.inRow++; a.inRow >= a.GiveUpAfter {
			a.stop(fmt.Errorf("%w: the last error was: %v", ErrGaveUp, err))
		}
	}
	for a.first < len(a.outcomes) && a.outcomes[a.first].Status != "" {
		a.first++
	}
	e := Event{Outcome: *o, Ended: a.ended, Total: len(a.outcomes)}
	a.changed.Broadcast()
	a.mu.Unlock()
	if a.Observer != nil {
		a.Observer.Observe(e)
	}
}

// seat is what a step holds of a context while it works.
type seat struct {
	in   ContextID
	took bool // the seat is now used
}

// takeSeat waits until the context that step i puts somebody into has a free
// seat. Seats are taken in the order of the plan, so that nobody takes one that
// was meant for an earlier step. It fails when all earlier steps have ended and
// there still is none.
func (a *applier) takeSeat(ctx context.Context, i int) (seat, error) {
	c := a.plan.Steps[i].Action.takes()
	if c == 0 {
		return seat{}, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	limit, limited := a.capacity[c]
	for a.queue[c][0] != i || limited && a.users[c] >= limit {
		if ctx.Err() != nil {
			return seat{}, context.Cause(ctx)
		}
		if a.first >= i {
			return seat{}, fmt.Errorf("schoolmail: context %d is full (%d of %d): %w", c, a.users[c], limit, ErrConflict)
		}
		a.changed.Wait()
	}
	a.users[c]++
	a.leaveQueue(c, i)
	a.changed.Broadcast()
	return seat{in: c}, nil
}

func (a *applier) leaveQueue(c ContextID, i int) {
	if j, ok := slices.BinarySearch(a.queue[c], i); ok {
		a.queue[c] = slices.Delete(a.queue[c], j, j+1)
	}
}

// releaseSeat gives back the seat of a step that failed, and the seats that a
// step that succeeded has freed.
func (a *applier) releaseSeat(s *Step, st seat, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	// After a failed copy somebody may sit there all the same; the seat stays
	// taken, which is the safe side, until the next run counts again.
	if st.in != 0 && !st.took && !s.Action.nature().copies {
		a.users[st.in]--
	}
	if err != nil {
		return
	}
	if c := s.Action.leaves(); c != 0 {
		a.users[c]--
	}
}

func (a *applier) result() *Result {
	r := &Result{Plan: a.plan.Header.ID, Outcomes: a.outcomes}
	for i := range r.Outcomes {
		if r.Outcomes[i].Status == "" {
			r.Outcomes[i].Status, r.Outcomes[i].Error = StatusSkipped, "the run ended"
		}
	}
	return r
}

// journal appends an entry of this plan, and with it what waits for its step's next
// entry. A journal that cannot be written ends the run: nothing may happen that is
// not on record.
func (a *applier) journal(e JournalEntry) error {
	return a.write(append(a.waiting(e.Step), a.stamped(e)))
}

func (a *applier) stamped(e JournalEntry) JournalEntry {
	e.Plan = a.plan.Header.ID
	if a.Clock != nil {
		e.Time = a.Clock()
	}
	return e
}

// later appends an entry together with the next one of its step: until then
// nothing else happens for that person, so that nothing is lost if it is not there.
func (a *applier) later(e JournalEntry) {
	e = a.stamped(e)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unwritten[e.Step] = append(a.unwritten[e.Step], e)
}

// waiting takes what later has put aside.
func (a *applier) waiting(step string) []JournalEntry {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.unwritten[step]
	delete(a.unwritten, step)
	return list
}

func (a *applier) write(list []JournalEntry) error {
	if len(list) == 0 {
		return nil
	}
	if err := a.Journal.Append(list...); err != nil {
		err = fmt.Errorf("schoolmail: journal: %w", err)
		a.stop(err)
		return err
	}
	return nil
}
