package oxtest

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// Option changes a setting of a new [Server].
type Option func(*Server)

// Version says which release's interface a [Server] offers.
type Version int

const (
	// Version8 is OX App Suite 8.19.
	Version8 Version = iota
	// Version710 is OX 7.10.6: the elements that came later (length and offset of
	// user lists, gabMode, resource permissions, images, two user fields) are
	// refused as unknown.
	Version710
)

// WithMaster sets the credentials of the master admin; "oxadminmaster" and
// "secret" unless set.
func WithMaster(login, password string) Option {
	return func(s *Server) { s.state.masterLogin, s.state.masterPassword = login, password }
}

// WithVersion sets the release.
func WithVersion(v Version) Option { return func(s *Server) { s.version = v } }

// WithLatency makes every SOAP call take d before it does its work. User writes
// hold their context's lock meanwhile.
func WithLatency(d time.Duration) Option {
	return WithLatencyFunc(func(Call) time.Duration { return d })
}

// WithLatencyFunc asks f how long each call takes. The Call has service,
// operation, context and the number of objects named in the request.
func WithLatencyFunc(f func(Call) time.Duration) Option {
	return func(s *Server) { s.latency = f }
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
		return time.Duration(float64(measured(c)) / speedup)
	})
}

// WithLockPause sets the unit of the pauses that a user write makes when
// another one is under way in its context; one second, as in OX, unless set. The
// write fails with "User update conflict" after 15 to 20 units.
func WithLockPause(d time.Duration) Option { return func(s *Server) { s.lockPause = d } }

// WithHangingCopies makes a copyUser call that meets another one hang until the
// server is closed, and with it every user write in its target context, instead
// of failing with UCP-0003. OX does either.
func WithHangingCopies() Option { return func(s *Server) { s.hangingCopies = true } }

// WithoutDeadlocks lets creates of contexts in one schema overlap. Unless set, of
// those that do, only the first is made, and the others are answered with the faults
// of a deadlock. On a real server fewer of them fail.
func WithoutDeadlocks() Option { return func(s *Server) { s.state.withoutDeadlocks = true } }

// WithoutFaultDetail leaves the detail out of all faults, as old servers do.
func WithoutFaultDetail() Option { return func(s *Server) { s.noDetail = true } }

// WithoutUserCopy answers 404 for OXUserCopyService, as a server without that package.
func WithoutUserCopy() Option { return func(s *Server) { s.missing["OXUserCopyService"] = true } }

// WithUsernameChangeable allows to change login names (USERNAME_CHANGEABLE=true).
func WithUsernameChangeable() Option { return func(s *Server) { s.state.usernameChangeable = true } }

// WithPrimaryMailUnchangeable forbids to change primary addresses (PRIMARY_MAIL_UNCHANGEABLE=true).
func WithPrimaryMailUnchangeable() Option {
	return func(s *Server) { s.state.primaryUnchangeable = true }
}

// WithMasterOverride lets master credentials act for every context admin (MASTER_ACCOUNT_OVERRIDE=true).
func WithMasterOverride() Option { return func(s *Server) { s.state.masterOverride = true } }

// WithSharedDisplayNames allows a display name twice in a context
// (com.openexchange.user.enforceUniqueDisplayName=false).
func WithSharedDisplayNames() Option { return func(s *Server) { s.state.sharedDisplayNames = true } }

// WithBypassedAccessChecks allows globalAddressBookDisabled beside any other
// flag (com.openexchange.admin.bypassAccessCombinationChecks=true).
func WithBypassedAccessChecks() Option { return func(s *Server) { s.state.bypassAccessChecks = true } }

// WithCapacity lets no context have more than so many users, guests and admin
// not counted, as the restriction Context.MaxUser of the reseller package does.
// The core of OX knows no such limit; the text of the fault is ours.
func WithCapacity(users int) Option { return func(s *Server) { s.state.capacity = users } }

// WithoutCallLog counts calls but does not keep them; for long runs.
func WithoutCallLog() Option { return func(s *Server) { s.log.off = true } }

// measured returns the time of a call on the server of the reference
// measurements: 8.19, two cores, database on the same machine.
func measured(c Call) time.Duration {
	const ms = time.Millisecond
	n := time.Duration(max(c.Objects, 1))
	switch c.Service + "." + c.Op {
	case "OXUserService.create", "OXUserService.createByModuleAccess", "OXUserService.createByModuleAccessName":
		return 34 * ms
	case "OXUserService.change":
		return 13 * ms
	case "OXUserService.changeByModuleAccess", "OXUserService.changeByModuleAccessName":
		return 7 * ms
	case "OXUserService.delete":
		return 100 * ms
	case "OXUserService.deleteMultiple":
		return n * 66 * ms
	case "OXUserService.getData":
		return 11 * ms
	case "OXUserService.getMultipleData":
		return n * 44 * ms / 10
	case "OXUserService.listAll", "OXUserService.list":
		return n * 65 * ms / 100
	case "OXGroupService.addMember", "OXGroupService.removeMember":
		return 12 * ms
	case "OXGroupService.create", "OXGroupService.change":
		return 10*ms + n*ms/2
	case "OXGroupService.getData":
		return 7 * ms
	case "OXContextService.create", "OXContextService.createModuleAccess", "OXContextService.createModuleAccessByName":
		return 70 * ms
	case "OXContextService.delete":
		return 90 * ms
	case "OXContextService.listAll":
		return 14 * ms
	case "OXContextService.changeModuleAccess", "OXContextService.changeModuleAccessByName":
		return n * 63 * ms / 10
	case "OXUserCopyService.copyUser":
		return 50 * ms
	}
	return 4 * ms
}
