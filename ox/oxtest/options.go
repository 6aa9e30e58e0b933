package oxtest

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/ox/oxtest/internal/soapapi"
)

// Option changes a setting of a new [Server].
type Option func(*Server)

// WithMaster sets the credentials of the master admin; "oxadminmaster" and
// "secret" unless set.
func WithMaster(login, password string) Option {
	return func(s *Server) { s.state.w.MasterLogin, s.state.w.MasterPassword = login, password }
}

// WithVersion sets the release.
func WithVersion(v Version) Option { return func(s *Server) { s.soap.Version = v } }

// WithLatency makes every SOAP call take d before it does its work. User writes
// hold their context's lock meanwhile.
func WithLatency(d time.Duration) Option {
	return WithLatencyFunc(func(Call) time.Duration { return d })
}

// WithLatencyFunc asks f how long each call takes. The Call has service,
// operation, context and the number of objects named in the request.
func WithLatencyFunc(f func(Call) time.Duration) Option {
	return func(s *Server) { s.soap.Latency = f }
}

// WithLatencySpread draws the time of each call from a log-normal distribution
// with that median and 95th percentile, as the times of a busy server are
// distributed. Equal sequences of calls get equal times.
func WithLatencySpread(median, p95 time.Duration) Option {
	const z95 = 1.6448536 // of the standard normal distribution
	sigma := math.Log(float64(p95)/float64(median)) / z95
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(3, 4))
	return WithLatencyFunc(func(Call) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(float64(median) * math.Exp(sigma*rng.NormFloat64()))
	})
}

// WithMeasuredLatency gives each call the time that was measured on a running
// OX 8.19 on a small machine (user create 34 ms, change 13 ms, delete 100 ms, read
// 4.4 ms per user and so on), divided by speedup; 0 counts as 1.
func WithMeasuredLatency(speedup float64) Option {
	if speedup <= 0 {
		speedup = 1
	}
	return WithLatencyFunc(func(c Call) time.Duration {
		return time.Duration(float64(soapapi.Measured(c)) / speedup)
	})
}

// WithLockPause sets the unit of the pauses that a user write makes when
// another one is under way in its context; one second, as in OX, unless set. The
// write fails with "User update conflict" after 15 to 20 units.
func WithLockPause(d time.Duration) Option { return func(s *Server) { s.soap.LockPause = d } }

// WithHangingCopies makes the copies that would fail with UCP-0003 wait until the
// server is closed, and with them the user writes in their target context. A client
// has to be ready for either.
func WithHangingCopies() Option { return func(s *Server) { s.soap.HangingCopies = true } }

// WithoutDeadlocks lets creates of contexts in one schema overlap. Unless set, of
// those that do, only the first is made, and the others are answered with the faults
// of a deadlock. On a real server fewer of them fail.
func WithoutDeadlocks() Option { return func(s *Server) { s.state.w.WithoutDeadlocks = true } }

// WithoutFaultDetail leaves the detail out of all faults, as old servers do.
func WithoutFaultDetail() Option { return func(s *Server) { s.soap.NoDetail = true } }

// WithoutUserCopy answers 404 for OXUserCopyService, as a server without that package.
func WithoutUserCopy() Option { return func(s *Server) { s.soap.Missing["OXUserCopyService"] = true } }

// WithUsernameChangeable allows to change login names (USERNAME_CHANGEABLE=true).
func WithUsernameChangeable() Option { return func(s *Server) { s.state.w.UsernameChangeable = true } }

// WithPrimaryMailUnchangeable forbids to change primary addresses (PRIMARY_MAIL_UNCHANGEABLE=true).
func WithPrimaryMailUnchangeable() Option {
	return func(s *Server) { s.state.w.PrimaryUnchangeable = true }
}

// WithMasterOverride lets master credentials act for every context admin (MASTER_ACCOUNT_OVERRIDE=true).
func WithMasterOverride() Option { return func(s *Server) { s.state.w.MasterOverride = true } }

// WithSharedDisplayNames allows a display name twice in a context
// (com.openexchange.user.enforceUniqueDisplayName=false).
func WithSharedDisplayNames() Option { return func(s *Server) { s.state.w.SharedDisplayNames = true } }

// WithBypassedAccessChecks allows globalAddressBookDisabled beside any other
// flag (com.openexchange.admin.bypassAccessCombinationChecks=true).
func WithBypassedAccessChecks() Option {
	return func(s *Server) { s.state.w.BypassAccessChecks = true }
}

// WithCapacity lets no context have more than so many users, guests and admin
// not counted, as the restriction Context.MaxUser of the reseller package does.
// The core of OX knows no such limit; the text of the fault is ours.
func WithCapacity(users int) Option { return func(s *Server) { s.state.w.Capacity = users } }

// WithoutCallLog counts calls but does not keep them; for long runs.
func WithoutCallLog() Option { return func(s *Server) { s.traffic.Log.Off = true } }

// WithHTTP sets how the HTTP API behaves.
func WithHTTP(opts *HTTPOptions) Option {
	if opts == nil {
		opts = &HTTPOptions{}
	}
	return func(s *Server) { s.http.Configure(*opts) }
}
