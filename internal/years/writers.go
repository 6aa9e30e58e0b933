package years

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/site/lease"
)

// shared is what the runs of one district have in common: the notes in the directory,
// and everything that can be written.
type shared struct {
	mu     sync.Mutex
	text   string
	holder string // who got the lease last: the one who may write
	writes map[string]int
	twice  []string // writes of somebody else than the holder
}

// notes are the notes as one run sees them. The way to the directory may be cut; what it
// writes elsewhere still arrives.
type notes struct {
	*shared
	who string
	cut bool
}

var errAway = errors.New("the directory is away")

// Note implements schoolmail.Notes.
func (n *notes) Note(context.Context, string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut {
		return "", errAway
	}
	return n.text, nil
}

// SwapNote implements schoolmail.Notes.
func (n *notes) SwapNote(_ context.Context, _, old, text string) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.cut:
		return false, errAway
	case n.text != old:
		return false, nil
	}
	n.text = text
	return true, nil
}

// acquire takes the lease: from when it returns this run may write, and nobody else.
func (n *notes) acquire(o lease.Options) (*lease.Lease, error) {
	l, err := lease.Acquire(context.Background(), n, n.who, &o)
	if err == nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.holder = n.who
	}
	return l, err
}

// write is one effect of a run, unless its lease has ended.
func (n *notes) write(l *lease.Lease) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.Context().Err() != nil {
		return false
	}
	if n.holder != n.who {
		n.twice = append(n.twice, fmt.Sprintf("%s writes while %s holds the district", n.who, n.holder))
	}
	n.writes[n.who]++
	return true
}

// Pace is how time passes for runs that compete: how often a lease is renewed, after
// what time one that does not change is free, and how long a run takes.
type Pace struct {
	Renew, Stale, Work time.Duration
	// Breaks: in some rounds all are well, and somebody breaks the lease all the same.
	Breaks bool
}

// Writers lets runs compete for one district several times, and counts when two write
// at the same time. Some finish, some lose the directory from sight and others take over,
// some die with the lease in their hands and somebody who knows breaks it. It returns how
// many runs have written.
func Writers(seed uint64, rounds int, pace Pace) (Harm, int) {
	harm, wrote := Harm{}, 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range rounds {
		all.Go(func() {
			s := &shared{writes: map[string]int{}}
			compete(s, rand.New(rand.NewPCG(seed, uint64(i))), pace)
			mu.Lock()
			defer mu.Unlock()
			for _, t := range s.twice {
				harm.add(TwoWriters, fmt.Sprintf("round %d: %s", i, t))
			}
			wrote += len(s.writes)
		})
	}
	all.Wait()
	return harm, wrote
}

// compete is one round: several runs, one of which loses the directory or dies.
func compete(s *shared, r *rand.Rand, pace Pace) {
	var runs sync.WaitGroup
	bad, dies := r.IntN(3), r.IntN(2) == 0
	breaks := pace.Breaks && r.IntN(2) == 0
	late := time.Duration(0)
	if breaks {
		bad, dies, late = -1, false, pace.Renew+time.Duration(r.IntN(60))*pace.Renew/60
	}
	gone := make(chan bool, 1) // whether somebody has died with the lease
	for i := range 3 {
		n := &notes{shared: s, who: fmt.Sprint("run ", i)}
		start := time.Duration(r.IntN(50)) * pace.Renew / 50
		runs.Go(func() {
			time.Sleep(start)
			for range 4 {
				l, err := n.acquire(lease.Options{Renew: pace.Renew, Stale: pace.Stale})
				if err != nil {
					time.Sleep(pace.Renew)
					continue
				}
				n.work(l, pace, i == bad, dies)
				if i == bad && dies {
					gone <- true
					return
				}
				_ = l.Release()
				return
			}
			if i == bad && dies { // it never had its turn
				gone <- false
			}
		})
	}
	runs.Go(func() { // a person who knows that it is gone
		broken := <-gone
		time.Sleep(late)
		n := &notes{shared: s, who: "somebody"}
		l, err := n.acquire(lease.Options{Renew: pace.Renew, Stale: pace.Stale, Break: broken})
		if err == nil {
			n.work(l, pace, false, false)
			_ = l.Release()
		}
	})
	if !dies {
		gone <- breaks
	}
	runs.Wait()
}

// work writes for a while. A run that is cut off from the directory goes on writing
// elsewhere as long as its lease lets it; one that dies stops with the lease in its hands.
func (n *notes) work(l *lease.Lease, pace Pace, bad, dies bool) {
	for begun := time.Now(); time.Since(begun) < pace.Work; time.Sleep(pace.Renew / 5) {
		if !n.write(l) {
			return
		}
		if bad && time.Since(begun) > pace.Work/4 {
			n.mu.Lock()
			n.cut = true
			n.mu.Unlock()
			if dies {
				return
			}
		}
	}
	for bad && n.write(l) { // until it notices that it has lost the lease
		time.Sleep(pace.Renew / 5)
	}
}
