package migrate_test

import (
	gosync "sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// What fails for a passing reason is tried once more when the others are done, and
// what fails again then has failed.
func TestSecondPass(t *testing.T) {
	for _, tt := range []struct {
		name          string
		times, failed int
	}{{"passes", 1, 0}, {"stays", -1, 1}} {
		dir := t.TempDir()
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, to, f, g, accounts := simulated(3)
				to.InjectIMAP(dovecottest.IMAPFault{Command: "APPEND", User: "user00", Disconnect: true, Times: tt.times})
				var mu gosync.Mutex
				var failures []string
				m := migrate.New(f, g, dir, &migrate.Options{Attempts: 1,
					Observer: migrate.ObserverFunc(func(e migrate.Event) {
						if e, ok := e.(migrate.Finished); ok && e.Err != nil {
							mu.Lock()
							defer mu.Unlock()
							failures = append(failures, e.Account)
						}
					})})
				res, err := m.RunWave(t.Context(), &migrate.Wave{Name: "w", Accounts: accounts, Parallel: 1}, nil)
				if err != nil || res.Failed() != tt.failed {
					t.Fatalf("%v %+v", err, res.Accounts)
				}
				want := []string{"user00"}
				if tt.failed > 0 {
					want = append(want, "user00")
				}
				if d := cmp.Diff(want, failures); d != "" {
					t.Errorf("failures (-want +got)\n%s", d)
				}
			})
		})
	}
}
