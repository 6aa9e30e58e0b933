package ox_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// inProcess is a client of a simulator that is reached without a socket, for
// tests in a bubble of synctest.
func inProcess(t testing.TB, srv *oxtest.Server, opt ox.Options) *ox.Client {
	t.Helper()
	opt.HTTPClient = srv.HTTPClient()
	c, err := ox.New([]string{"http://ox.example/webservices"}, ox.Credentials{Login: "oxadminmaster",
		Password: "secret"}, &opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestFirstNightOfASite: a new site's contexts are asked for side by side, and each
// is made, however easily the database of OX gets into deadlocks.
func TestFirstNightOfASite(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		programs int
		opts     []oxtest.Option
		atLeast  int // creates
		atMost   int
	}{
		"one program":                            {1, nil, 6, 6},
		"another program makes contexts as well": {2, nil, 13, 100},
		"a database without deadlocks":           {2, []oxtest.Option{oxtest.WithoutDeadlocks()}, 12, 12},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := oxtest.New(append(tt.opts, oxtest.WithLatency(70*time.Millisecond))...)
				defer srv.Close()
				var wg sync.WaitGroup
				for p := range tt.programs {
					g := ox.NewGroupware(inProcess(t, srv, ox.Options{}), admins(6, 20*(p+1)), nil)
					for i := range 6 {
						id := schoolmail.ContextID(20*(p+1) + i)
						wg.Go(func() {
							spec := schoolmail.ContextSpec{ID: id, Name: fmt.Sprintf("school%d", id)}
							if err := g.EnsureContext(t.Context(), spec); err != nil {
								t.Errorf("context %d: %v", id, err)
							}
						})
					}
				}
				wg.Wait()
				for p := range tt.programs {
					for i := range 6 {
						if _, ok := srv.State().Context(schoolmail.ContextID(20*(p+1) + i)); !ok {
							t.Errorf("context %d is missing", 20*(p+1)+i)
						}
					}
				}
				creates := srv.Counts()["OXContextService.createModuleAccessByName"]
				if creates < tt.atLeast || creates > tt.atMost {
					t.Errorf("%d creates, want %d to %d", creates, tt.atLeast, tt.atMost)
				}
			})
		})
	}
}

func admins(n, first int) map[schoolmail.ContextID]ox.Credentials {
	out := map[schoolmail.ContextID]ox.Credentials{}
	for i := range n {
		out[schoolmail.ContextID(first+i)] = admin
	}
	return out
}

// TestRolledBackCreate: each of OX's three answers to creates that disturbed each
// other, and the one to an id that was deleted a moment ago, leads to another try;
// with no end in sight the kind tells what it was.
func TestRolledBackCreate(t *testing.T) {
	t.Parallel()
	const sql = "Deadlock found when trying to get lock; try restarting transaction"
	for name, f := range map[string]oxtest.Failure{
		"deadlock": {Kind: "StorageException",
			Message: "FLD-0038 Categories=ERROR Message='A SQL error occurred: " + sql + "'"},
		"no administrator yet": {Kind: "StorageException",
			Message: "FLD-0033 Categories=ERROR Message='No admin user found in context 30'"},
		"id just deleted": {Kind: "StorageException",
			Message: "FLD-0038 Categories=ERROR Message='Duplicate entry '30-24-1' for key 'PRIMARY''"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := oxtest.New()
				defer srv.Close()
				c := inProcess(t, srv, ox.Options{})
				n := ox.NewContext{ID: 30, MaxQuota: ox.Unlimited, Admin: ox.NewUser{Name: "oxadmin", Password: "secret",
					DisplayName: "Admin",
					GivenName:   "A", FamilyName: "B", PrimaryEmail: "a@b.example", AccessName: "all"}}
				remove := srv.Inject(oxtest.Fault{Op: "createModuleAccessByName", Failure: f})
				_, err := c.Contexts.Create(t.Context(), n)
				if !errors.Is(err, ox.ErrRolledBack) {
					t.Errorf("got %v", err)
				}
				remove()
				srv.Inject(oxtest.Fault{Op: "createModuleAccessByName", Times: 2, Failure: f})
				if _, err := c.Contexts.Create(t.Context(), n); err != nil {
					t.Errorf("a third try would have done: %v", err)
				}
			})
		})
	}
}
