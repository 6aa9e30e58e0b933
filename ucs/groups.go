package ucs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-ldap/ldap/v3"
)

// groupQueues combine changes of the same group: while one modify is under
// way, others that come are gathered and sent together. A class of 24 costs a
// few requests instead of 24, "Domain Users OU" a few instead of hundreds.
type groupQueues struct {
	mu sync.Mutex
	m  map[string]*groupQueue
}

type groupQueue struct {
	leader  chan struct{} // holds one token while somebody sends
	pending []*memberOp
}

// memberOp puts one person into a group or takes them out.
type memberOp struct {
	dn, uid string
	add     bool
	done    chan error
}

// errAgain tells a waiting change that its leader was cancelled.
var errAgain = errors.New("try again")

// maxMembers is the largest number of people in one modify.
const maxMembers = 500

// member puts a person into a group or takes them out. Both the name
// (uniqueMember) and the user name (memberUid) are changed in one request.
// What is already so is success.
func (c *Client) member(ctx context.Context, groupDN, dn, uid string, add bool) error {
	q := c.groups.queue(normDN(groupDN))
	for {
		op := &memberOp{dn: dn, uid: uid, add: add, done: make(chan error, 1)}
		c.groups.mu.Lock()
		q.pending = append(q.pending, op)
		c.groups.mu.Unlock()
		err := c.await(ctx, q, op, groupDN)
		if err == errAgain {
			if ctx.Err() == nil {
				continue
			}
			err = context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("group %s: %w", firstValue(groupDN), err)
		}
		return nil
	}
}

func (g *groupQueues) queue(key string) *groupQueue {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.m == nil {
		g.m = map[string]*groupQueue{}
	}
	q := g.m[key]
	if q == nil {
		q = &groupQueue{leader: make(chan struct{}, 1)}
		g.m[key] = q
	}
	return q
}

// await waits until somebody has sent op, and sends itself whenever nobody
// else does.
func (c *Client) await(ctx context.Context, q *groupQueue, op *memberOp, groupDN string) error {
	select {
	case err := <-op.done:
		return err
	case <-ctx.Done():
		c.groups.mu.Lock()
		q.pending = slices.DeleteFunc(q.pending, func(o *memberOp) bool { return o == op })
		c.groups.mu.Unlock()
		return context.Cause(ctx)
	case q.leader <- struct{}{}:
	}
	defer func() { <-q.leader }()
	select {
	case err := <-op.done:
		return err
	default:
	}
	c.groups.mu.Lock()
	n := min(len(q.pending), maxMembers)
	batch := q.pending[:n:n]
	q.pending = q.pending[n:]
	c.groups.mu.Unlock()
	c.flush(ctx, groupDN, batch)
	select {
	case err := <-op.done:
		return err
	default:
		return errAgain // more were before us than fit
	}
}

// flush sends a batch and tells everybody in it.
func (c *Client) flush(ctx context.Context, groupDN string, batch []*memberOp) {
	err := c.sendMembers(ctx, groupDN, batch)
	if err != nil && len(batch) > 1 && ctx.Err() == nil && !lost(err) && !refused(err) &&
		code(err) != ldap.LDAPResultNoSuchObject {
		// One of them is bad: find out who.
		for _, op := range batch {
			op.done <- c.sendMembers(ctx, groupDN, []*memberOp{op})
		}
		return
	}
	if ctx.Err() != nil && err != nil {
		err = errAgain
	}
	for _, op := range batch {
		op.done <- err
	}
}

// sendMembers changes a group. When the server says that a value is there
// already, or not there, the group is read and only what is needed is sent.
func (c *Client) sendMembers(ctx context.Context, groupDN string, batch []*memberOp) error {
	var have *entry // nil: not read
	for try := 1; ; try++ {
		req := ldap.NewModifyRequest(groupDN, nil)
		changeMembers(req, have, batch, "uniqueMember", func(op *memberOp) string { return op.dn }, normDN)
		changeMembers(req, have, batch, "memberUid", func(op *memberOp) string { return op.uid },
			func(s string) string { return s })
		if len(req.Changes) == 0 {
			return nil
		}
		err := c.modify(ctx, req)
		switch cd := code(err); {
		case err == nil:
			return nil
		case cd == ldap.LDAPResultNoSuchObject && !anyAdd(batch):
			return nil // nothing to leave
		case cd != ldap.LDAPResultAttributeOrValueExists && cd != ldap.LDAPResultNoSuchAttribute && !lost(err),
			try == attempts, ctx.Err() != nil:
			return err
		}
		if have, err = c.get(ctx, groupDN, "uniqueMember", "memberUid"); err != nil {
			return err
		}
		if have == nil {
			have = &entry{}
		}
	}
}

// changeMembers adds to a request what a batch changes of one attribute of a
// group, which has what have says unless that is nil.
func changeMembers(req *ldap.ModifyRequest, have *entry, batch []*memberOp, attr string,
	value func(*memberOp) string, norm func(string) string) {
	present := map[string]bool{}
	if have != nil {
		for _, v := range have.values(attr) {
			present[norm(v)] = true
		}
	}
	var add, del []string
	seen := map[string]bool{}
	for _, op := range slices.Backward(batch) { // the last word counts
		v := value(op)
		k := norm(v)
		if seen[k] || have != nil && present[k] == op.add {
			continue
		}
		seen[k] = true
		if op.add {
			add = append(add, v)
		} else {
			del = append(del, v)
		}
	}
	if len(del) > 0 {
		req.Delete(attr, del)
	}
	if len(add) > 0 {
		req.Add(attr, add)
	}
}

func anyAdd(batch []*memberOp) bool {
	for _, op := range batch {
		if op.add {
			return true
		}
	}
	return false
}

// firstValue returns the value of the first part of a DN, for messages.
func firstValue(dn string) string {
	_, v, _ := strings.Cut(dn, "=")
	v, _, _ = strings.Cut(v, ",")
	return fmt.Sprintf("%q", v)
}

// regroup puts a person into the groups of want and takes them out of those of
// leave, several at a time.
func (c *Client) regroup(ctx context.Context, dn, uid string, want, leave []string) error {
	type job struct {
		group string
		add   bool
	}
	var jobs []job
	for _, g := range leave {
		jobs = append(jobs, job{g, false})
	}
	for _, g := range want {
		jobs = append(jobs, job{g, true})
	}
	errs := make([]error, len(jobs))
	var wg sync.WaitGroup
	for i, j := range jobs {
		wg.Go(func() { errs[i] = c.member(ctx, j.group, dn, uid, j.add) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err // one says enough: the others fail for the same reason, as a rule
		}
	}
	return nil
}
