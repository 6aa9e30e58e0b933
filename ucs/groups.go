package ucs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/sync/errgroup"
)

// regrouping puts one person into groups and takes them out of others.
type regrouping struct {
	dn, uid     string
	join, leave []string // DNs of groups
}

// memberOp puts one person into a group or takes them out.
type memberOp struct {
	dn, uid string
	add     bool
}

// maxMembers is the largest number of people in one modify, groupLinger how long
// one waits for more of them.
const (
	maxMembers  = 500
	groupLinger = 25 * time.Millisecond
)

// regroup puts a person into the groups of join and takes them out of those of
// leave. People who come at the same time are sent together, so that each group
// is changed once for all of them: a class of 24 costs a few requests instead of
// 24, "Domain Users OU" a few instead of hundreds. Both the name (uniqueMember)
// and the user name (memberUid) are changed in one request. What is already so
// is success.
func (c *Client) regroup(ctx context.Context, dn, uid string, join, leave []string) error {
	if len(join)+len(leave) == 0 {
		return nil
	}
	_, err := c.regroupings.do(ctx, regrouping{dn, uid, join, leave})
	return err
}

// changeGroups carries a batch of regroupings out, several groups at a time.
func (c *Client) changeGroups(ctx context.Context, batch []regrouping) []outcome[struct{}] {
	type change struct {
		dn  string
		ops []*memberOp
		who []int // index into batch of each
	}
	var changes []*change
	byGroup := map[string]*change{}
	for i, r := range batch {
		for k, g := range slices.Concat(r.leave, r.join) {
			n := normDN(g)
			ch := byGroup[n]
			if ch == nil {
				ch = &change{dn: g}
				byGroup[n] = ch
				changes = append(changes, ch)
			}
			ch.ops = append(ch.ops, &memberOp{dn: r.dn, uid: r.uid, add: k >= len(r.leave)})
			ch.who = append(ch.who, i)
		}
	}
	out := make([]outcome[struct{}], len(batch))
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(c.opts.PoolSize)
	for _, ch := range changes {
		g.Go(func() error {
			for k, err := range c.changeGroup(ctx, ch.dn, ch.ops) {
				if err != nil {
					mu.Lock()
					// One says enough: the others fail for the same reason, as a rule.
					out[ch.who[k]].err = fmt.Errorf("group %s: %w", firstValue(ch.dn), err)
					mu.Unlock()
				}
			}
			return nil
		})
	}
	g.Wait()
	return out
}

// changeGroup changes the members of a group. If the server refuses that, one of
// them is bad: each is sent alone then, to find out who.
func (c *Client) changeGroup(ctx context.Context, groupDN string, ops []*memberOp) []error {
	out := make([]error, len(ops))
	if c.opts.Write == WriteUDM {
		err := c.sendMembersByUDM(ctx, groupDN, ops)
		for i := range out {
			out[i] = err
		}
		return out
	}
	err := c.sendMembers(ctx, groupDN, ops)
	alone := err != nil && len(ops) > 1 && ctx.Err() == nil && !lost(err) && !refused(err) &&
		code(err) != ldap.LDAPResultNoSuchObject
	for i, op := range ops {
		if alone {
			err = c.sendMembers(ctx, groupDN, []*memberOp{op})
		}
		out[i] = err
	}
	return out
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
