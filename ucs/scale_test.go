package ucs_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail"
)

// TestScale measures the main job's traffic. SCHOOLMAIL_SCALE=32000 is a
// district of the intended size; by default it is small.
func TestScale(t *testing.T) {
	n := 300
	if v, err := strconv.Atoi(os.Getenv("SCHOOLMAIL_SCALE")); err == nil {
		n = v
	}
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		schools := []schoolmail.SchoolID{"gsmitte", "sek-nord"}
		for i := 2; i < 60 && i*500 < n; i++ {
			id := schoolmail.SchoolID(fmt.Sprintf("school%02d", i))
			if err := c.EnsureSchool(t.Context(), id, ""); err != nil {
				t.Fatal(err)
			}
			schools = append(schools, id)
		}
		account := func(i int) schoolmail.Account {
			return with(numbered(i), func(a *schoolmail.Account) {
				a.Memberships = []schoolmail.Membership{{School: schools[i*len(schools)/n], Classes: []string{fmt.Sprint(i / 22)}}}
			})
		}
		parallel := func(f func(i int) error) {
			t.Helper()
			work := make(chan int)
			var wg sync.WaitGroup
			for range 24 {
				wg.Go(func() {
					for i := range work {
						if err := f(i); err != nil {
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
		}
		begin := time.Now()
		report := func(what string) {
			took := time.Since(begin)
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			t.Logf("%s of %d: %v, requests so far %+v, heap in use %d MB", what, n, took.Round(time.Millisecond), c.Stats(),
				m.HeapAlloc>>20)
			begin = time.Now()
		}
		parallel(func(i int) error { return c.CreateAccount(t.Context(), account(i), "Xy7-ooP2") })
		report("create")
		snap, err := c.Snapshot(t.Context())
		if err != nil || len(snap.Accounts) != n {
			t.Fatalf("%d accounts, %v", len(snap.Accounts), err)
		}
		report("snapshot")
		for i, a := range snap.Accounts {
			if d := diff(account(i), a); d != "" {
				t.Fatalf("(-want +got):\n%s", d)
			}
		}
		begin = time.Now()
		parallel(func(i int) error {
			if i%3 != 0 {
				return nil
			}
			return c.ChangeAccount(t.Context(), account(i), with(account(i), func(a *schoolmail.Account) { a.Context = 102 }))
		})
		report("change a third")
	})
}
