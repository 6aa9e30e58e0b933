package oxtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// BenchmarkRead reads a context of 2,000 users in chunks of 300, through a
// socket: what the simulator and the client's decoder cost together.
func BenchmarkRead(b *testing.B) {
	const users, chunk = 2000, 300
	srv := testlife.Of(Start(WithoutCallLog()))(b)
	if err := srv.State().AddContext(Context{ID: 10}); err != nil {
		b.Fatal(err)
	}
	var ids []schoolmail.UserID
	for i := range users {
		id, err := srv.State().AddUser(10, User{Name: fmt.Sprintf("user%04d", i),
			Fields: map[string]string{"department": "7b"}})
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, id)
	}
	var bytes int64
	c, err := soap.NewClient(srv.SOAPURL, &soap.Options{Observe: func(x soap.Exchange) { bytes += x.Received }})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		bytes = 0
		n := 0
		for from := 0; from < users; from += chunk {
			req := &oxuser.GetMultipleData{Ctx: userCtx(10), Auth: adminAuth}
			for _, id := range ids[from:min(from+chunk, users)] {
				req.Users = append(req.Users, &oxuser.User{Id: state.Id32(id)})
			}
			for u, err := range soap.Returns[oxuser.User](context.Background(), c, oxuser.OpGetMultipleData, req) {
				if err != nil || u.Name == nil {
					b.Fatal(u, err)
				}
				n++
			}
		}
		if n != users {
			b.Fatal(n)
		}
	}
	b.SetBytes(bytes)
	b.ReportMetric(float64(bytes)/users, "B/user")
}

// BenchmarkCreate creates users one after the other in one context.
func BenchmarkCreate(b *testing.B) {
	srv := testlife.Of(Start(WithoutCallLog()))(b)
	if err := srv.State().AddContext(Context{ID: 10}); err != nil {
		b.Fatal(err)
	}
	c, err := soap.NewClient(srv.SOAPURL, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		req := &oxuser.Create{Ctx: userCtx(10), Usrdata: person(fmt.Sprintf("user%d", n)), Auth: adminAuth}
		if err := c.Call(context.Background(), oxuser.OpCreate, req, new(oxuser.CreateResponse)); err != nil {
			b.Fatal(err)
		}
	}
}
