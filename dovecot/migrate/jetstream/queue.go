// Package jetstream lets any number of machines work at one wave of a migration. The accounts
// stand in a work queue of NATS JetStream: one machine holds an account at a time, by a lease
// that it renews while it works; the lease of a machine that dies, or is cut off, runs out, and
// another one goes on. What is known of each account lies in an object store, and so do the
// outcomes and certificates, from which any machine makes the report over all.
//
// A machine that cannot renew its lease stops working at the account when half of the lease has
// passed, long before anybody else may begin. Whoever takes an account over from a machine that
// has not given it back first waits until the target has stored, or dropped, what that
// machine had sent, and recognises by content what is there: nothing is stored twice. Of what such a
// machine knew, that is kept which it knew when it began to change the target: flags of messages that have
// changed at the source since are compared with the target's, which takes a source that tells what has
// changed (CONDSTORE); with another one a flag that the dead machine brought, and that was taken back before the
// next machine looks, stays at the target. So does a message that it had copied and that has gone at the
// source by then.
//
// NATS gets the names of accounts, counts, digests, flags and certificates; it never gets
// passwords or mail. Each machine has its own list of accounts with what it takes to log in.
//
// It is a module of its own: who needs no queue need not have it.
package jetstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// Options of [Open].
type Options struct {
	// Run names one run of one wave, "pilot-first-copy": all machines that work at it say the same.
	// Letters, digits, "-" and "_".
	Run string
	// Dir is where this machine keeps the state of accounts while it works at them, and where nothing else
	// lies: the state of an account that is taken is replaced by what NATS has of it. A directory
	// with states that a migration without a queue has left is refused. Whoever takes no account needs none.
	Dir string
	// Machine names this one in the records; empty means host name and process.
	Machine string
	// Lease is how long an account stays with a machine that says nothing; 0 means 30 seconds, and
	// at least 2. All machines of a run have the same.
	Lease time.Duration
	// Replicas is on how many servers of a cluster NATS keeps all of it; 0 means 1.
	Replicas int
	// Logger gets what is worth knowing about leases; nil means none.
	Logger *slog.Logger
}

// Queue is a run's queue, as one machine sees it.
type Queue struct {
	opt      Options
	nc       *nats.Conn
	js       jetstream.JetStream
	work     jetstream.Consumer
	stream   jetstream.Stream
	records  jetstream.KeyValue
	states   jetstream.ObjectStore
	outcomes jetstream.ObjectStore
	slots    jetstream.KeyValue

	mu     sync.Mutex
	paused bool // as last heard
}

const (
	keyPaused   = "paused"
	recordsOf   = "account."
	stateBucket = "migrate-states"
)

// record is what all machines know of an account in a run.
type record struct {
	Name    string    `json:"name"`
	Place   int       `json:"place"` // in the wave
	Phase   phase     `json:"phase"`
	Pass    int       `json:"pass"`
	Machine string    `json:"machine,omitempty"`
	Ticket  uint64    `json:"ticket,omitempty"` // of the queue, by which it was taken
	Begin   time.Time `json:"begin,omitzero"`   // of the last work
	End     time.Time `json:"end,omitzero"`
	// Of the outcome: what a count over all accounts needs.
	Messages int   `json:"messages,omitempty"`
	Bytes    int64 `json:"bytes,omitempty"`
	Failed   bool  `json:"failed,omitempty"`
}

type phase string

const (
	queued  phase = "queued"
	working phase = "working" // and if nobody holds the lease: was left in the middle
	done    phase = "done"
)

// ticket is a message of the queue.
type ticket struct {
	Key  string `json:"key"`
	Pass int    `json:"pass"`
}

// Connect connects to NATS for as long as the caller wants, whatever is between. What could not be
// said in time is not said later.
func Connect(url, token string) (*nats.Conn, error) {
	o := []nats.Option{nats.MaxReconnects(-1), nats.ReconnectBufSize(-1), nats.ReconnectWait(500 * time.Millisecond),
		nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2), nats.Name("migrate")}
	if token != "" {
		o = append(o, nats.Token(token))
	}
	nc, err := nats.Connect(url, o...)
	if err != nil {
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	return nc, nil
}

// Open joins a run, and makes what it needs in NATS. The connection stays the caller's.
func Open(ctx context.Context, nc *nats.Conn, opts *Options) (*Queue, error) {
	q := &Queue{nc: nc}
	if opts != nil {
		q.opt = *opts
	}
	if err := q.opt.complete(); err != nil {
		return nil, err
	}
	var err error
	if q.js, err = jetstream.New(nc); err != nil {
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	name := "migrate-" + q.opt.Run
	if q.stream, err = q.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"},
		Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, Replicas: q.opt.Replicas}); err != nil {
		return nil, fmt.Errorf("jetstream: queue: %w", err)
	}
	if q.work, err = q.stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: "machines",
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: q.opt.Lease, MaxDeliver: -1, MaxAckPending: 100_000}); err != nil {
		return nil, fmt.Errorf("jetstream: queue: %w", err)
	}
	if q.records, err = q.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: name,
		Replicas: q.opt.Replicas}); err != nil {
		return nil, fmt.Errorf("jetstream: records: %w", err)
	}
	if q.slots, err = q.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "migrate-slots",
		TTL: q.opt.Lease, Replicas: q.opt.Replicas}); err != nil {
		return nil, fmt.Errorf("jetstream: limits: %w", err)
	}
	for bucket, store := range map[string]*jetstream.ObjectStore{stateBucket: &q.states, name: &q.outcomes} {
		if *store, err = q.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: bucket,
			Replicas: q.opt.Replicas}); err != nil {
			return nil, fmt.Errorf("jetstream: object store: %w", err)
		}
	}
	return q, nil
}

func (o *Options) complete() error {
	if o.Run == "" {
		return errors.New("jetstream: the run has no name")
	}
	for _, c := range o.Run {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return fmt.Errorf("jetstream: run %q: want letters, digits, - and _", o.Run)
		}
	}
	if o.Lease == 0 {
		o.Lease = 30 * time.Second
	}
	if o.Lease < 2*time.Second {
		return fmt.Errorf("jetstream: lease of %v: want at least 2 s", o.Lease)
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if o.Machine == "" {
		host, _ := os.Hostname()
		o.Machine = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Dir == "" {
		return nil
	}
	return claim(o.Dir)
}

// keyOf is an account in names of subjects, keys and objects, which take few characters, and are
// seen by who administers NATS.
func keyOf(account string) string {
	sum := sha256.Sum256([]byte(account))
	return hex.EncodeToString(sum[:16])
}

// Add puts the wave's accounts into the queue, in this order, those that are not there yet. Every
// machine may do it.
func (q *Queue) Add(ctx context.Context, accounts []string) error {
	for i, name := range accounts {
		key := keyOf(name)
		_, err := q.records.Get(ctx, recordsOf+key)
		if err == nil {
			continue
		}
		if !errors.Is(err, jetstream.ErrKeyNotFound) {
			return fmt.Errorf("jetstream: records: %w", err)
		}
		// A second ticket of the same account, from a machine that was ended in between, does no harm.
		raw, err := json.Marshal(record{Name: name, Place: i, Phase: queued, Pass: 1})
		if err != nil {
			return err
		}
		if _, err := q.records.Create(ctx, recordsOf+key, raw); err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
			return fmt.Errorf("jetstream: records: %w", err)
		}
	}
	return q.publishAll(ctx, accounts)
}

// publishAll gives a ticket to each account of the first pass that is not done. The server drops
// those it has seen, and those it has forgotten are dropped by whoever takes them.
func (q *Queue) publishAll(ctx context.Context, accounts []string) error {
	for _, name := range accounts {
		rec, _, err := q.record(ctx, keyOf(name))
		if err != nil {
			return err
		}
		if rec.Phase != queued || rec.Pass != 1 {
			continue
		}
		if err := q.publish(ctx, ticket{keyOf(name), 1}); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) publish(ctx context.Context, t ticket) error {
	raw, err := json.Marshal(t)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%s-%s-%d", q.opt.Run, t.Key, t.Pass)
	if _, err := q.js.Publish(ctx, "migrate-"+q.opt.Run+"."+t.Key, raw, jetstream.WithMsgID(id)); err != nil {
		return fmt.Errorf("jetstream: queue: %w", err)
	}
	return nil
}

func (q *Queue) record(ctx context.Context, key string) (rec record, revision uint64, err error) {
	e, err := q.records.Get(ctx, recordsOf+key)
	if err == nil {
		err = json.Unmarshal(e.Value(), &rec)
	}
	if err != nil {
		return rec, 0, fmt.Errorf("jetstream: records: %w", err)
	}
	return rec, e.Revision(), nil
}

// write changes a record that nobody else has changed since.
func (q *Queue) write(ctx context.Context, key string, rec record, revision uint64) (uint64, error) {
	raw, err := json.Marshal(rec)
	if err != nil {
		return 0, err
	}
	revision, err = q.records.Update(ctx, recordsOf+key, raw, revision)
	if err != nil {
		return 0, fmt.Errorf("jetstream: records: %w", err)
	}
	return revision, nil
}

// Next implements [migrate.Queue]. While NATS cannot be reached it waits.
func (q *Queue) Next(ctx context.Context) (migrate.Lease, error) {
	if q.opt.Dir == "" {
		return nil, errors.New("jetstream: no directory for the state of accounts")
	}
	for {
		if err := q.connected(ctx); err != nil {
			return nil, err
		}
		l, err := q.take(ctx)
		switch {
		case ctx.Err() != nil:
			if l != nil {
				l.Return(context.WithoutCancel(ctx))
			}
			return nil, ctx.Err()
		case errors.Is(err, migrate.ErrNoneLeft):
			return nil, err
		case err != nil:
			q.opt.Logger.Warn("the queue cannot be asked", "error", err)
			if err := sleep(ctx, q.opt.Lease/10); err != nil {
				return nil, err
			}
		case l != nil:
			return l, nil
		}
	}
}

// connected waits until NATS can be reached.
func (q *Queue) connected(ctx context.Context) error {
	for told := false; !q.nc.IsConnected(); told = true {
		if !told {
			q.opt.Logger.Warn("NATS cannot be reached")
		}
		if err := sleep(ctx, q.opt.Lease/10); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// take asks once; it returns neither a lease nor an error when others have all the accounts.
func (q *Queue) take(ctx context.Context) (*lease, error) {
	asked := time.Now() // the lease begins when the server hands it out, no earlier than this
	got, err := q.work.Fetch(1, jetstream.FetchMaxWait(min(time.Second, q.opt.Lease/4)))
	if err != nil {
		return nil, err
	}
	var msg jetstream.Msg
	for m := range got.Messages() {
		msg = m
	}
	if msg == nil {
		if err := got.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) && !errors.Is(err, jetstream.ErrNoMessages) {
			return nil, err
		}
		info, err := q.stream.Info(ctx)
		if err != nil {
			return nil, err
		}
		if info.State.Msgs == 0 {
			return nil, migrate.ErrNoneLeft
		}
		return nil, nil
	}
	var t ticket
	if err := json.Unmarshal(msg.Data(), &t); err != nil {
		return nil, errors.Join(fmt.Errorf("jetstream: queue: a message that is no ticket: %w", err), msg.Term())
	}
	return q.hold(ctx, msg, t, asked)
}

// hold makes a lease of a ticket, and brings the account's state to this machine.
func (q *Queue) hold(ctx context.Context, msg jetstream.Msg, t ticket, asked time.Time) (*lease, error) {
	rec, revision, err := q.record(ctx, t.Key)
	if err != nil {
		return nil, err
	}
	meta, err := msg.Metadata()
	if err != nil {
		return nil, err
	}
	number := meta.Sequence.Stream
	switch {
	case rec.Phase == queued && rec.Pass > t.Pass: // a machine was ended before it gave the second ticket out
		if err := q.publish(ctx, ticket{t.Key, rec.Pass}); err != nil {
			return nil, err
		}
		return nil, msg.DoubleAck(ctx)
	case rec.Phase == done || rec.Pass > t.Pass || rec.Phase == working && rec.Ticket != number: // one too many
		return nil, msg.DoubleAck(ctx)
	}
	left := rec.Phase == working
	rec.Phase, rec.Machine, rec.Ticket, rec.Begin = working, q.opt.Machine, number, time.Now().UTC()
	if revision, err = q.write(ctx, t.Key, rec, revision); err != nil {
		return nil, err // somebody else has it, or NATS is away: the ticket comes again
	}
	l := &lease{q: q, msg: msg, key: t.Key, rec: rec, revision: revision}
	l.begin(asked)
	if err := q.fetchState(l.alive, t.Key, rec.Name); err != nil {
		l.end()
		return nil, err
	}
	if left {
		q.opt.Logger.Info("taken over from a machine that has left off", "place", rec.Place)
		if err := migrate.TakenOver(q.opt.Dir, rec.Name); err != nil {
			l.end()
			return nil, fmt.Errorf("jetstream: state: %w", unnamed(err))
		}
	}
	return l, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
