// Package lease sees to it that one program at a time works on a district,
// whatever machine and folder it starts from.
//
// The lease is a short text in what all of them share: the directory
// ([schoolmail.Notes]). It says who holds it and carries a counter that the holder
// raises every minute. Whoever wants it and finds it taken watches it: if the text
// changes, the holder lives, and [Acquire] returns a [*HeldError] that says who it
// is and since when. If it has not changed for five minutes, as measured by the
// watching side's own clock (no clocks are compared), the holder is gone and the
// lease is taken over. A holder that cannot renew its lease stops before others may
// think so: the context of [Lease.Context] ends. Between two renewals it looks every
// five seconds whether somebody has broken its lease, and who breaks one waits ten
// before it works: the two do not write at the same time while both see the directory.
//
// Text changes by compare-and-swap alone, so of several who try at the same time
// one wins. Who gives it back leaves a text that nobody else has ever written: from
// [Look] and [Lease.Since] it is known whether anybody has held it in between.
package lease

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/retry"
)

// Name is the name of the note that the lease of a district is.
const Name = "run"

// Holder is what the lease says of who holds it.
type Holder struct {
	Program string    `json:"program"` // for example "provision"
	Host    string    `json:"host"`
	Process int       `json:"process"`
	Start   time.Time `json:"start"` // by the holder's clock; for people
	Counter int       `json:"counter"`
	Nonce   string    `json:"nonce"` // tells two holders apart that have all else in common
	// System tells whether two holders see the same processes, so that one can know
	// that the other has died; empty: not known.
	System string `json:"system,omitempty"`
	// Ended says that the holder has given it back. Programs of before this was
	// written take it for one that does not renew any more, which comes to the same.
	Ended bool `json:"ended,omitempty"`
}

// String says who it is in words.
func (h Holder) String() string {
	return fmt.Sprintf("%s on %s, process %d, since %s", h.Program, h.Host, h.Process,
		h.Start.Format("2006-01-02 15:04:05 MST"))
}

// Kind says why a program does not have the lease. The kinds are themselves
// errors, so that callers ask with [errors.Is].
type Kind string

// Error returns the kind's text.
func (k Kind) Error() string { return string(k) }

// The kinds.
const (
	// ErrHeld: somebody else has the lease; the error is a [*HeldError].
	ErrHeld Kind = "the lease of the district is held by another run"
	// ErrLost is the cause with which the context of a lease ends when it was taken
	// over by somebody, or could not be renewed in time.
	ErrLost Kind = "the lease of the district was lost"
)

// HeldError says who holds the lease.
type HeldError struct{ Holder Holder }

// Error says who holds it.
func (e *HeldError) Error() string { return "another run is under way: " + e.Holder.String() }

// Unwrap returns [ErrHeld].
func (e *HeldError) Unwrap() error { return ErrHeld }

// Event is what an [Observer] is told: the lease is taken, and is watched now.
type Event struct{ Holder Holder }

// Observer is told when the lease is found taken, once, before it is watched.
type Observer interface{ Observe(Event) }

// ObserverFunc is a function that is an [Observer].
type ObserverFunc func(Event)

// Observe calls the function.
func (f ObserverFunc) Observe(e Event) { f(e) }

// Options tune [Acquire]. The zero value is for everyday use.
type Options struct {
	Renew time.Duration // between two renewals; 0: a minute
	Stale time.Duration // after which a lease that does not change is free; 0: five minutes
	// Break takes the lease from whoever holds it: for a person who knows that the
	// holder is gone.
	Break bool
	// Observer is told when there is somebody to wait for; nil: nobody is.
	Observer Observer
}

// Lease is held until [Lease.Release].
type Lease struct {
	notes schoolmail.Notes
	opts  Options
	self  Holder
	ctx   context.Context
	end   context.CancelCauseFunc
	done  sync.WaitGroup

	from string // what it stood for before it was taken

	mu   sync.Mutex
	text string // as it is written
}

// Sight is the lease as [Look] has found it. Two of them are equal if it reads the
// same.
type Sight struct{ text string }

// Look reads the lease and writes nothing.
func Look(ctx context.Context, notes schoolmail.Notes) (Sight, error) {
	text, err := notes.Note(ctx, Name)
	if err != nil {
		return Sight{}, fmt.Errorf("lease: %w", err)
	}
	return Sight{text}, nil
}

// Free reports whether nobody holds it.
func (s Sight) Free() bool { return free(s.text) }

func free(text string) bool {
	h, readable := decode(text)
	return text == "" || readable && h.Ended
}

// Since reports whether it is certain that from a sight until the lease was acquired
// nobody else has held it. It never is of one that no program has held yet.
func (l *Lease) Since(s Sight) bool {
	return s.text != "" && s.Free() && l.from == s.text
}

// Acquire takes the lease for a program; without a name, the one that runs. The
// error is a [*HeldError] if somebody holds it, or what the directory says.
func Acquire(ctx context.Context, notes schoolmail.Notes, program string, opts *Options) (*Lease, error) {
	l := &Lease{notes: notes, self: self(program)}
	if opts != nil {
		l.opts = *opts
	}
	if l.opts.Renew <= 0 {
		l.opts.Renew = time.Minute
	}
	if l.opts.Stale <= 0 {
		l.opts.Stale = 5 * time.Minute
	}
	l.text = encode(l.self)
	if err := l.acquire(ctx); err != nil {
		return nil, err
	}
	l.ctx, l.end = context.WithCancelCause(ctx)
	l.done.Go(l.renew)
	return l, nil
}

func self(program string) Holder {
	h := Holder{Program: cmp.Or(program, filepath.Base(os.Args[0])), Process: os.Getpid(),
		Start: time.Now().UTC().Truncate(time.Second), System: system()}
	h.Host, _ = os.Hostname()
	var nonce [8]byte
	rand.Read(nonce[:]) // never fails
	h.Nonce = hex.EncodeToString(nonce[:])
	return h
}

func (l *Lease) acquire(ctx context.Context) error {
	var seen string
	var since time.Time          // when seen was first seen
	told, living := false, false // living: whose lease was broken may be
	for pause := time.Second; ; pause = retry.Grow(pause, pause, time.Hour) {
		text, err := l.notes.Note(ctx, Name)
		if err != nil {
			return fmt.Errorf("lease: %w", err)
		}
		if text == l.text { // the answer to a swap was lost, but it was done
			return l.part(ctx, living)
		}
		holder, readable := decode(text)
		switch {
		case free(text):
		case seen == "":
			seen, since = text, time.Now()
		case text != seen:
			return fmt.Errorf("lease: %w", &HeldError{holder}) // it lives
		}
		l.from = text
		living = !free(text) && time.Since(since) < l.opts.Stale && !(readable && holder.dead())
		if free(text) || l.opts.Break || time.Since(since) >= l.opts.Stale || readable && holder.dead() {
			switch done, err := l.notes.SwapNote(ctx, Name, text, l.text); {
			case err != nil && ctx.Err() != nil:
				return fmt.Errorf("lease: %w", err)
			case err != nil: // lost, perhaps: look
				text, e := l.notes.Note(ctx, Name)
				if e != nil || text != l.text {
					return fmt.Errorf("lease: %w", err)
				}
				return l.part(ctx, living)
			case done:
				return l.part(ctx, living)
			}
			continue // somebody was faster
		}
		if !told && l.opts.Observer != nil {
			l.opts.Observer.Observe(Event{Holder: holder})
			told = true
		}
		if err := retry.Sleep(ctx, min(pause, l.opts.Renew/4)); err != nil {
			return fmt.Errorf("lease: %w: %w", &HeldError{holder}, err)
		}
	}
}

// look is how long a holder does not look whether the lease is still its own.
func (l *Lease) look() time.Duration { return l.opts.Renew / 12 }

// part waits until a holder whose lease was broken, and who may live, has noticed.
func (l *Lease) part(ctx context.Context, living bool) error {
	if !living {
		return nil
	}
	err := retry.Sleep(ctx, 2*l.look())
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	ended := l.self
	ended.Ended = true
	_, back := l.notes.SwapNote(ctx, Name, l.text, encode(ended))
	return fmt.Errorf("lease: %w", errors.Join(err, back))
}

// watched waits, and reports whether the lease is still ours then as far as can be seen.
func (l *Lease) watched(pause time.Duration) bool {
	for until := time.Now().Add(pause); ; {
		left := time.Until(until)
		if retry.Sleep(l.ctx, min(left, l.look())) != nil {
			return false
		}
		if left <= l.look() {
			return true // whoever raises it looks
		}
		ctx, cancel := context.WithTimeout(l.ctx, l.look())
		text, err := l.notes.Note(ctx, Name)
		cancel()
		if h, _ := decode(text); err == nil && h.Nonce != l.self.Nonce {
			l.end(fmt.Errorf("%w: somebody else has broken it", ErrLost))
			return false
		}
	}
}

// renew raises the counter until the context ends. It gives up, and ends the
// context, well before somebody else may take the lease over.
func (l *Lease) renew() {
	last := time.Now()
	pause := l.opts.Renew
	for {
		if !l.watched(pause) {
			return
		}
		began := time.Now()
		limit := last.Add(l.opts.Stale - l.opts.Stale/5)
		ctx, cancel := context.WithDeadline(l.ctx, limit)
		done, err := l.raise(ctx)
		cancel()
		switch {
		case l.ctx.Err() != nil:
			return
		case err == nil && done:
			last, pause = began, l.opts.Renew
		case err == nil:
			l.end(fmt.Errorf("%w: somebody else has taken it", ErrLost))
			return
		case !time.Now().Before(limit):
			l.end(fmt.Errorf("%w: it could not be renewed for %s: %w", ErrLost, time.Since(last).Round(time.Second), err))
			return
		default:
			pause = l.opts.Renew / 4
		}
	}
}

// raise writes the next text and reports whether the lease is still ours.
func (l *Lease) raise(ctx context.Context) (bool, error) {
	next := l.self
	next.Counter++
	text := encode(next)
	done, err := l.notes.SwapNote(ctx, Name, l.current(), text)
	if err == nil && !done || err != nil {
		// Perhaps an earlier answer was lost: look.
		found, e := l.notes.Note(ctx, Name)
		switch {
		case e != nil:
			return false, errors.Join(err, e)
		case found == text:
			done, err = true, nil
		case err != nil && found == l.current():
			return false, err // not done; again soon
		default:
			return false, nil
		}
	}
	if done {
		l.mu.Lock()
		l.self, l.text = next, text
		l.mu.Unlock()
	}
	return done, err
}

func (l *Lease) current() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text
}

// Context ends when the lease is lost, with [ErrLost] as its cause, or when the
// context that it was acquired with ends: whatever is done under the lease uses it.
func (l *Lease) Context() context.Context { return l.ctx }

// Release gives the lease back, unless it was lost. It may be called twice.
func (l *Lease) Release() error {
	if l.ctx.Err() == nil || !errors.Is(context.Cause(l.ctx), ErrLost) {
		l.end(context.Canceled)
	}
	l.done.Wait()
	text := l.current()
	if text == "" || errors.Is(context.Cause(l.ctx), ErrLost) {
		return nil
	}
	l.mu.Lock()
	l.text = ""
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), 10*time.Second)
	defer cancel()
	ended := l.self
	ended.Ended = true
	done, err := l.notes.SwapNote(ctx, Name, text, encode(ended))
	if err == nil && !done { // a renewal was under way when it was cut off
		var found string
		if found, err = l.notes.Note(ctx, Name); err == nil {
			if h, _ := decode(found); h.Nonce == l.self.Nonce && !h.Ended {
				_, err = l.notes.SwapNote(ctx, Name, found, encode(ended))
			}
		}
	}
	if err != nil {
		return fmt.Errorf("lease: it could not be given back and is free in %s: %w", l.opts.Stale, err)
	}
	return nil
}

func encode(h Holder) string {
	b, err := json.Marshal(h)
	if err != nil {
		return "" // a Holder can always be encoded
	}
	return string(b)
}

// decode reads a lease; of one that another version wrote it tells what it can.
func decode(text string) (Holder, bool) {
	var h Holder
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&h); err != nil {
		return Holder{Program: "a program that this version does not know"}, false
	}
	return h, true
}

// dead reports whether the holder is known to have ended: it ran where this
// program runs, and there is no such process any more.
func (h Holder) dead() bool {
	return h.System != "" && h.System == system() && h.Process > 0 && !running(h.Process)
}
