package ox

import (
	"context"
	"fmt"
	"log/slog"
	"math/bits"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/limiter"
	"github.com/ictmedia/schoolmail/internal/retry"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/internal/waits"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxtask"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
	"github.com/ictmedia/schoolmail/ox/internal/oxutil"
)

// call is one operation to carry out.
type call struct {
	name    string // "create user"
	op      *soap.Operation
	context schoolmail.ContextID
	source  schoolmail.ContextID // copy: the other context
	subject string
	req     any
	resp    func() any // a new place for the answer, for each attempt; nil for void operations
	cred    Credentials
	secrets []schoolmail.Secret // besides the credentials' password
	// expected is how many things an answer is likely to list.
	expected int

	login        string // of the credentials
	looksUpLogin bool
}

// traits are what the scheduler has to know of an operation.
type traits uint8

const (
	// repeatable: doing it twice is as good as doing it once.
	repeatable traits = 1 << iota
	// userWrite: takes OX's lock on user writes in the context.
	userWrite
	// bySchema: refused while the context's schema is being updated.
	bySchema
	// long: works synchronously on large data, so it has no usual duration.
	long
)

func traitsOf(op *soap.Operation) traits {
	var t traits
	if op.Service != oxcontext.Service && op.Service != oxutil.Service && op.Service != oxtask.Service {
		t |= bySchema
	}
	for _, prefix := range []string{"get", "list", "exists", "check", "change", "enable", "disable", "downgrade",
		"delete", "update", "remove", "unblock", "flush"} {
		if strings.HasPrefix(op.Name, prefix) {
			t |= repeatable
		}
	}
	switch op {
	case oxuser.OpChange, oxuser.OpChangeByModuleAccess, oxuser.OpChangeByModuleAccessName, oxuser.OpChangeCapabilities,
		oxuser.OpChangeMailAddressPersonal, oxuser.OpCreate, oxuser.OpCreateByModuleAccess,
		oxuser.OpCreateByModuleAccessName, oxuser.OpMoveFromContextToUserFilestore, oxuser.OpMoveFromMasterToUserFilestore,
		oxuser.OpMoveFromUserFilestoreToMaster, oxuser.OpMoveFromUserToContextFilestore, oxuser.OpMoveUserFilestore:
		t |= userWrite
	case oxcontext.OpChangeModuleAccess, oxcontext.OpChangeModuleAccessByName, oxuser.OpDelete, oxuser.OpDeleteMultiple:
		t |= userWrite | long
	case oxcontext.OpDelete, oxcontext.OpDowngrade:
		t |= userWrite | long | bySchema
	case oxusercopy.OpCopyUser:
		t |= userWrite | long
	case oxuser.OpChangeModuleAccessGlobal, oxutil.OpRegisterDatabase, oxutil.OpCreateSchema,
		oxutil.OpCheckCountsConsistency, oxcontext.OpDisableAll, oxcontext.OpEnableAll:
		t |= long
	}
	return t
}

// invoke carries out an operation with a result and returns the response struct.
func invoke[R any](ctx context.Context, c *Client, k call) (*R, error) {
	var last *R
	k.resp = func() any { last = new(R); return last }
	if err := c.do(ctx, &k); err != nil {
		return nil, err
	}
	return last, nil
}

// stream carries out an operation that lists things and converts them one by
// one while they arrive, so that the answer is never held as a whole. convert must not
// keep what it is given.
func stream[G, T any](ctx context.Context, c *Client, k call, convert func(*G) T) ([]T, error) {
	var out []T
	k.resp = func() any {
		out = make([]T, 0, k.expected)
		var g, none G
		return soap.Each(func(decode func(v any) error) error {
			g = none
			if err := decode(&g); err != nil {
				return err
			}
			out = append(out, convert(&g))
			return nil
		})
	}
	if err := c.do(ctx, &k); err != nil {
		return nil, err
	}
	return out, nil
}

// do carries out a call under the scheduler's rules: in its lane, under the
// server's bound, repeated where that is safe. The error is an *Error.
func (c *Client) do(ctx context.Context, k *call) error {
	t := traitsOf(k.op)
	k.login = k.cred.Login
	k.secrets = append(k.secrets, k.cred.Password)
	k.looksUpLogin = k.op == oxuser.OpChange || k.op == oxuser.OpGetData || k.op == oxuser.OpGetMultipleData
	fill(k.req, k.context, k.cred)
	if t&userWrite != 0 {
		release, err := c.lanes.acquire(ctx, k.context)
		if err != nil {
			return k.canceled(err, nil)
		}
		defer release()
	}
	r := retrier{c: c, k: k, traits: t}
	for {
		if t&bySchema != 0 {
			if err := c.schemas.wait(ctx, k.context, k.source); err != nil {
				return k.canceled(err, r.last)
			}
		}
		server, e := c.attempt(ctx, k, t)
		if e == nil {
			return nil
		}
		pause, again := r.again(server, e)
		if !again {
			return e
		}
		c.counters.retried(k.op)
		c.opt.Logger.LogAttrs(ctx, slog.LevelInfo, "ox: repeating", slog.String("operation", k.op.String()),
			slog.Int("context", int(k.context)), slog.String("kind", string(e.Kind)),
			slog.String("exception_id", e.ExceptionID), slog.Duration("pause", pause.d))
		if err := c.waits.Pause(ctx, pause.key, pause.d, pause.limit); err != nil {
			return k.canceled(err, e)
		}
	}
}

// attempt sends the request once, to the server that it returns.
func (c *Client) attempt(ctx context.Context, k *call, t traits) (*endpoint, *Error) {
	server, err := c.servers.acquire(ctx, k.context)
	if err != nil {
		return nil, k.canceled(err, nil)
	}
	timeout := c.opt.Timeout
	if t&long != 0 {
		timeout = c.opt.LongTimeout
	}
	one, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %v: %w", timeout,
		context.DeadlineExceeded))
	defer cancel()
	var resp any
	if k.resp != nil {
		resp = k.resp()
	}
	start := time.Now()
	ex := server.client.Exchange(one, k.op, k.req, resp)
	e := k.classify(ctx, ex.Err)
	switch {
	case e == nil:
	case e.Kind == ErrLostAnswer && one.Err() != nil:
		e.Err = context.Cause(one)
	case e.Kind == ErrNoService && server.down():
		e.Kind = ErrStarting // a server that was away and has not published its services yet
	}

	o := limiter.NoSign // faults come at their own pace
	switch {
	case e == nil:
		c.reached(server)
		if t&userWrite != 0 {
			c.waits.Free(writerWait(int(k.context)))
		}
		if t&long == 0 {
			o = limiter.Healthy
		}
	case e.Kind == ErrCanceled:
	case e.Kind == ErrLostAnswer && e.Timeout() && t&long != 0:
		o = limiter.Trouble // such a call may take longer than anybody waits
	case e.Kind == ErrUnreachable, e.Kind == ErrLostAnswer, e.Kind == ErrProtocol, e.Kind == ErrStarting,
		e.Kind == ErrStatus && e.Temporary():
		server.failed(start)
		o = limiter.Trouble
	case e.HTTPStatus != 0:
		c.reached(server)
	}
	like := limiter.Likeness{Op: k.op.String(), Size: bits.Len64(uint64(ex.Sent+ex.Received) >> 10)}
	server.limit.Release(like, start, o)
	if e == nil && t&bySchema != 0 {
		c.schemas.unlocked(k.context, start)
	}
	if e != nil && e.Kind == ErrDatabaseUpdate {
		c.schemaLocked(k, e, start)
	}
	return server, e
}

// reached notes that a server has answered.
func (c *Client) reached(server *endpoint) {
	server.answered()
	c.waits.Free(serverWait(server))
}

// schemaOf is the schema that an error says is locked.
func (k *call) schemaOf(e *Error) string {
	if schema := lockedSchema(e.Message); schema != "" {
		return schema
	}
	return fmt.Sprintf("(schema of context %d)", k.context)
}

func (c *Client) schemaLocked(k *call, e *Error, start time.Time) {
	schema := k.schemaOf(e)
	if k.source == 0 { // else it could be the schema of either context
		c.schemas.learn(k.context, schema)
	}
	c.schemas.locked(schema, start)
}

// canceled is the error of a call whose context ended while it waited. before
// is what it waited for, if it had been tried.
func (k *call) canceled(cause error, before *Error) *Error {
	e := &Error{Op: k.name, Service: k.op.String(), Context: k.context, Subject: k.subject, Kind: ErrCanceled,
		Err: cause, NotDone: true}
	if before != nil {
		e.NotDone = before.NotDone
		e.ExceptionID, e.HTTPStatus = before.ExceptionID, before.HTTPStatus
		e.Message = fmt.Sprintf("%v while waiting because of: %s", cause, before.Kind)
	}
	return e
}

// retrier decides in one place what is repeated, how often and when.
type retrier struct {
	c      *Client
	k      *call
	traits traits
	last   *Error

	tries int // repeated for want of an answer that makes sense
	pause time.Duration
}

// pause is what a call waits for before it is repeated, and how long, this time and
// at all.
type pause struct {
	key      waits.Key
	d, limit time.Duration
}

// again returns the pause before the next attempt, or false if e, which came from
// the server, stands.
func (r *retrier) again(server *endpoint, e *Error) (pause, bool) {
	r.last = e
	opt := &r.c.opt
	switch e.Kind {
	case ErrLockConflict:
		// The server has waited up to 20 s itself before it gave up.
		return r.wait(writerWait(int(r.k.context)), opt.LockWait, 250*time.Millisecond, 5*time.Second)
	case ErrDatabaseUpdate:
		key := schemaWait(r.k.schemaOf(e))
		if r.traits&bySchema != 0 && r.k.source == 0 && r.k.context != 0 {
			// The schema's gate holds the next attempt back.
			return pause{}, !r.c.waits.Spent(key, opt.DatabaseUpdateWait)
		}
		return r.wait(key, opt.DatabaseUpdateWait, time.Second, time.Minute)
	case ErrStarting, ErrUnreachable:
		return r.elsewhere(server, e, opt.Retries >= 0)
	case ErrLostAnswer, ErrProtocol, ErrRolledBack:
		if r.tries++; r.traits&repeatable == 0 || r.tries > opt.Retries {
			return pause{}, false
		}
		if e.Kind == ErrRolledBack {
			return pause{d: r.grow(firstPause, 10*time.Second)}, true
		}
		return r.elsewhere(server, e, true)
	case ErrStatus:
		if !e.Temporary() || r.traits&repeatable == 0 && e.HTTPStatus != http.StatusTooManyRequests {
			return pause{}, false
		}
		return r.elsewhere(server, e, opt.Retries >= 0)
	}
	return pause{}, false
}

// elsewhere repeats the call at another server if one is in service, and waits for
// this one otherwise.
func (r *retrier) elsewhere(server *endpoint, e *Error, again bool) (pause, bool) {
	if again && e.HTTPStatus != http.StatusTooManyRequests && len(r.c.servers) > 1 {
		if ok, _ := r.c.servers.pick(r.k.context).usable(); ok {
			return pause{}, true
		}
	}
	if !again || !e.Temporary() {
		return pause{}, false
	}
	return r.wait(serverWait(server), r.c.opt.ServerWait, firstPause, 10*time.Second)
}

// wait is the next pause for want of what key says, unless it has been waited for
// longer than limit.
func (r *retrier) wait(key waits.Key, limit, first, most time.Duration) (pause, bool) {
	if r.c.waits.Spent(key, limit) {
		return pause{}, false
	}
	return pause{key, r.grow(first, most), limit}, true
}

// grow doubles the pause between first and most and adds some chance.
func (r *retrier) grow(first, most time.Duration) time.Duration {
	r.pause = retry.Grow(r.pause, first, most)
	return retry.Spread(r.pause)
}

// fill writes the context's id and the credentials into a request. Every
// service has types of its own for them, which differ in nothing but the name.
func fill(req any, id schoolmail.ContextID, cred Credentials) {
	v := reflect.ValueOf(req).Elem()
	for _, name := range []string{"Ctx", "Context"} {
		if f := v.FieldByName(name); f.IsValid() && f.IsNil() && id != 0 {
			f.Set(reflect.New(f.Type().Elem()))
			f.Elem().FieldByName("Id").Set(reflect.ValueOf(new(int32Of(int(id)))))
		}
	}
	for _, name := range []string{"Auth", "Cred"} {
		if f := v.FieldByName(name); f.IsValid() {
			f.Set(reflect.New(f.Type().Elem()))
			f.Elem().FieldByName("Login").Set(reflect.ValueOf(new(cred.Login)))
			f.Elem().FieldByName("Password").Set(reflect.ValueOf(new(cred.Password.Reveal())))
		}
	}
}
