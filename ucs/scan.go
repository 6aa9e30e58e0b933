package ucs

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail/internal/retry"
	"github.com/ictmedia/schoolmail/ucs/internal/bulk"
)

// scan runs a search in pages (RFC 2696) on one connection, to which the server
// ties its cookies, and hands every entry to f until that says false. f must not
// keep the entry; its strings it may.
func (c *Client) scan(ctx context.Context, q query, f func(*entry) bool) error {
	pause := c.pool.retry
	for try := 1; ; try++ {
		began, err := c.scanOnce(ctx, q, f)
		// A search that gave something cannot be repeated: its pages died with the
		// cookie, and f has seen the entries.
		if err == nil || began || try == attempts || ctx.Err() != nil || !lost(err) && !refused(err) {
			return err
		}
		if refused(err) || try > 1 {
			if err := retry.Sleep(ctx, pause); err != nil {
				return err
			}
			pause = retry.Grow(pause, pause, time.Minute)
		}
	}
}

// scanOnce reports whether f has seen anything.
func (c *Client) scanOnce(ctx context.Context, q query, f func(*entry) bool) (began bool, err error) {
	conn, err := c.pool.getBulk(ctx)
	if err != nil {
		return false, err
	}
	ok := false
	defer func() { c.pool.putBulk(conn, ok) }()
	s := bulk.Search{Base: q.base, Scope: q.scope, Filter: q.filter, Attrs: q.attrs}
	var e entry
	wanted := true
	for cookie := ""; ; {
		c.pool.count("search")
		begin := time.Now()
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		cookie, err = conn.Page(s, c.opts.PageSize, cookie, func(be *bulk.Entry) bool {
			began = true
			e.dn, e.attrs = be.DN, be.Attrs
			wanted = f(&e)
			return wanted
		})
		err = translate(err)
		if !stop() && err != nil {
			err = context.Cause(ctx)
		}
		c.pool.observe("search", begin, err)
		ok = ctx.Err() == nil && !lost(err)
		if err != nil || cookie == "" || !wanted {
			return began, err
		}
	}
}

// pages is scan as a sequence, whose entries may be kept. One error ends it.
func (c *Client) pages(ctx context.Context, q query) iter.Seq2[*entry, error] {
	return func(yield func(*entry, error) bool) {
		err := c.scan(ctx, q, func(e *entry) bool {
			kept := &entry{dn: e.dn, attrs: slices.Clone(e.attrs)}
			for i, a := range kept.attrs {
				kept.attrs[i].Values = slices.Clone(a.Values)
			}
			return yield(kept, nil)
		})
		if err != nil {
			yield(nil, err)
		}
	}
}
