package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/dovecot/migrate/runner"
)

// Pause lets all machines pause, or go on. What is under way is interrupted and taken up again later.
func (q *Queue) Pause(ctx context.Context, pause bool) error {
	if _, err := q.records.Put(ctx, keyPaused, []byte(fmt.Sprint(pause))); err != nil {
		return fmt.Errorf("jetstream: pause: %w", err)
	}
	return nil
}

// Paused reports whether the machines are to pause. While NATS is away it says what was heard last.
func (q *Queue) Paused() bool {
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	e, err := q.records.Get(ctx, keyPaused)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil || errors.Is(err, jetstream.ErrKeyNotFound) {
		q.paused = err == nil && string(e.Value()) == "true"
	}
	return q.paused
}

// all reads the records of all accounts, in the wave's order.
func (q *Queue) all(ctx context.Context) ([]record, error) {
	w, err := q.records.Watch(ctx, recordsOf+"*", jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("jetstream: records: %w", err)
	}
	defer func() { _ = w.Stop() }()
	var out []record
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case e := <-w.Updates():
			if e == nil { // that was all there was
				slices.SortFunc(out, func(a, b record) int { return a.Place - b.Place })
				return out, nil
			}
			var rec record
			if err := json.Unmarshal(e.Value(), &rec); err != nil {
				return nil, fmt.Errorf("jetstream: records: %w", err)
			}
			out = append(out, rec)
		}
	}
}

// Status is how the run stands over all machines. The time that is left follows from what they
// have done together since the first of them began.
func (q *Queue) Status(ctx context.Context) (migrate.WaveStatus, error) {
	all, err := q.all(ctx)
	if err != nil {
		return migrate.WaveStatus{}, err
	}
	s := statusOf(q.opt.Run, all, time.Now())
	if s.State == "running" && q.Paused() {
		s.State = "paused"
	}
	return s, nil
}

func statusOf(run string, all []record, now time.Time) migrate.WaveStatus {
	s := migrate.WaveStatus{Wave: run, State: "running", Accounts: len(all)}
	var begun time.Time
	for _, r := range all {
		if !r.Begin.IsZero() && (begun.IsZero() || r.Begin.Before(begun)) {
			begun = r.Begin
		}
		if r.Phase != done {
			continue
		}
		s.Finished++
		s.Messages += r.Messages
		s.Bytes += r.Bytes
		if r.Failed {
			s.Failed++
		}
	}
	switch left := len(all) - s.Finished; {
	case left == 0:
		s.State = "finished"
	case begun.IsZero():
		s.State = "waiting"
	case s.Finished > 0:
		s.ETA = (now.Sub(begun) / time.Duration(s.Finished) * time.Duration(left)).Round(time.Second)
	}
	return s
}

// Report is the report over all machines: each account's outcome, and the certificate over all,
// if they were verified. Accounts without an outcome say so.
func (q *Queue) Report(ctx context.Context) (*runner.Report, error) {
	all, err := q.all(ctx)
	if err != nil {
		return nil, err
	}
	rep := &runner.Report{Wave: &migrate.WaveResult{Wave: q.opt.Run, Accounts: make([]migrate.AccountResult, len(all))}}
	var certificates []*migrate.Certificate
	for i, r := range all {
		a := &rep.Wave.Accounts[i]
		*a = migrate.AccountResult{Account: r.Name, Stage: migrate.Waiting, Reason: "no machine has finished it"}
		if begin := &rep.Wave.Begin; !r.Begin.IsZero() && (begin.IsZero() || r.Begin.Before(*begin)) {
			*begin = r.Begin
		}
		if r.End.After(rep.Wave.End) {
			rep.Wave.End = r.End
		}
		if r.Phase == done {
			if *a, err = q.outcome(ctx, r); err != nil {
				return nil, err
			}
		}
		c := a.Certificate
		if a.Certificate = nil; c == nil {
			c = &migrate.Certificate{Account: r.Name, Stage: a.Stage, Error: a.Reason}
			if c.Error == "" {
				c.Error = "not verified"
			}
		}
		certificates = append(certificates, c)
	}
	rep.Certificate = migrate.SumCertificates(q.opt.Run, time.Now(), certificates)
	return rep, nil
}

func (q *Queue) outcome(ctx context.Context, r record) (res migrate.AccountResult, err error) {
	raw, err := q.outcomes.GetBytes(ctx, keyOf(r.Name))
	if err == nil {
		err = json.Unmarshal(raw, &res)
	}
	if err != nil {
		return res, fmt.Errorf("jetstream: outcome: %w", err)
	}
	return res, nil
}
