package ucs_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// A first provisioning takes at most four requests for each newcomer, and six
// more where UDM works beside us: the account is looked for, made pending, and
// made active, as Apply does it, 24 at a time and school by school.
func TestRequestsForNewcomers(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts func(*ucs.Options)
	}{{"alone", nil}, {"beside UDM", besideUDM}} {
		t.Run(tc.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *backend) {
				c := b.client(t, tc.opts)
				if b.sim != nil { // a server at some distance
					b.sim.Inject(ucstest.Fault{Op: "search", Delay: 20 * time.Millisecond, Times: -1})
					b.sim.Inject(ucstest.Fault{Op: "modify", DN: "cn=groups", Delay: 40 * time.Millisecond, Times: -1})
				}
				const n = 600
				account := func(i int) schoolmail.Account {
					return with(numbered(i), func(a *schoolmail.Account) {
						// Names of the first of their kind, as most are.
						a.Username = "newcomer." + string(rune('a'+i/100)) + string(rune('a'+i/10%10)) + string(rune('a'+i%10))
						a.Mail, a.Aliases = a.Username+"@schulen.example", nil
						a.State = schoolmail.Pending
						a.Memberships = []schoolmail.Membership{{School: []schoolmail.SchoolID{"gsmitte", "sek-nord"}[2*i/n],
							Classes: []string{fmt.Sprint(i / 22)}}}
					})
				}
				work := make(chan int)
				var wg sync.WaitGroup
				for range 24 {
					wg.Go(func() {
						for i := range work {
							a := account(i)
							if _, err := c.Account(t.Context(), a.Username); err == nil {
								t.Errorf("%s exists already", a.Username)
							}
							if err := c.CreateAccount(t.Context(), a, "Xy7-ooP2"); err != nil {
								t.Error(err)
							}
							active := with(a, func(a *schoolmail.Account) { a.State = schoolmail.Active })
							if err := c.ChangeAccount(t.Context(), a, active); err != nil {
								t.Error(err)
							}
						}
					})
				}
				for i := range n {
					work <- i
				}
				close(work)
				wg.Wait()
				s := c.Stats()
				t.Logf("%.2f requests for each: %+v", float64(s.Total())/n, s)
				if b.sim == nil {
					return // how many come together depends on how fast this machine is
				}
				guards := 0 // requests that guard against UDM
				for _, call := range b.sim.Calls() {
					if strings.Contains(call.DN, ",cn=unique-") || strings.Contains(call.DN, ",cn=uid,") ||
						strings.Contains(call.DN, ",cn=mailPrimaryAddress,") {
						guards++
					}
				}
				if guards > 6*n {
					t.Errorf("%d requests for %d newcomers guard against UDM, want at most 6 for each", guards, n)
				}
				if each := float64(s.Total()-int64(guards)) / n; each > 4 {
					t.Errorf("%.2f requests for each newcomer, want at most 4", each)
				}
			})
		})
	}
}
