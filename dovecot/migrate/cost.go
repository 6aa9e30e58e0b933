package migrate

import (
	"crypto/tls"
	"errors"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// cost is how much a failure takes with it.
type cost int

const (
	costMessage    cost = iota // one message stays behind; the rest goes on
	costFolder                 // one folder stays behind
	costConnection             // both connections are made anew
	costServer                 // as before, and nobody bothers the server meanwhile
	costAccount                // the account has failed
	costWave                   // no other account would fare better
)

// place is where something failed.
type place struct {
	side   string // "source", "target", or "" for our own disk
	op     string // "connect", "login", "list", "folder", "messages", "copy", ...
	folder string // raw name on that side, "" if it is about the account
	uid    uint32 // 0 if it is about the whole folder
	alone  bool   // the message was the only one under way
}

// The operations that more than one file names.
const (
	opConnect  = "connect"
	opLogin    = "login"
	opFolder   = "open"    // a folder
	opMessages = "compare" // read messages to recognise or compare them
	opCopy     = "copy"
	opFlags    = "flags"
	opDelete   = "delete"
)

// failure is an error with its place.
type failure struct {
	at    place
	err   error
	times int // how often it has come, where somebody else counts; 0: trouble does
}

func (f *failure) Error() string {
	if f.at.side == "" {
		return f.err.Error()
	}
	return f.at.side + ": " + f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// at gives an error its place, unless it has one already.
func at(p place, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*failure](err); ok {
		return err
	}
	return &failure{at: p, err: err}
}

// verdict is what becomes of a failure.
type verdict struct {
	cost    cost
	wait    time.Duration // asked for by the server; 0 if it said nothing
	careful bool          // take the messages there one by one from now on
}

// Limits of judge.
const (
	lossesBeforeCare = 2 // at one place, until its messages are taken one by one
	lossesOfMessage  = 2 // with the message alone under way, until it stays behind
	lossesOfFolder   = 4 // at a folder without getting to its messages
	refusalsInARow   = 3 // of logins
	carefulMessages  = 1000
	maxThrottle      = 10 * time.Minute // that a server may ask for
)

// judge decides what a failure costs: from the kind of answer, where it came,
// and how often it has come at the same place, this time included. A login's
// place is the server: how many were refused in a row, see [side.refused].
func judge(err error, at place, times int) verdict {
	refusal, refused := errors.AsType[*imapwire.Error](err)
	kind := kindOf(err)
	wait, throttled := throttle(err)
	switch {
	case kind == ErrCanceled && !errors.Is(err, imapwire.ErrConnection), kind == ErrBusy, kind == ErrQuota:
		return verdict{cost: costAccount}
	case at.side == "" && kind == ErrState:
		return verdict{cost: costWave} // our own disk, which all accounts share
	case kind == errRenumbered:
		return verdict{cost: costConnection}
	case hopeless(err):
		return verdict{cost: costWave}
	case throttled:
		return verdict{cost: costServer, wait: wait}
	case kind == ErrUnreachable:
		return verdict{cost: costServer}
	case kind == ErrLogin:
		if times >= refusalsInARow {
			return verdict{cost: costWave}
		}
		return verdict{cost: costAccount}
	case !refused && errors.Is(err, imapwire.ErrConnection):
		return loss(at, times)
	case refused && refusal.Status == "BAD" && at.op == opCopy && !at.alone:
		// The server may have lost the place where messages end.
		return verdict{cost: costConnection, careful: true}
	case refused && at.uid != 0:
		return verdict{cost: costMessage}
	case refused && at.folder != "":
		return verdict{cost: costFolder}
	}
	return verdict{cost: costAccount}
}

// loss is judge for a connection that was lost.
func loss(at place, times int) verdict {
	switch {
	case at.alone && times >= lossesOfMessage:
		return verdict{cost: costMessage}
	case at.uid != 0 && !at.alone && times >= lossesBeforeCare:
		return verdict{cost: costConnection, careful: true}
	case at.folder != "" && at.uid == 0 && times >= lossesOfFolder:
		return verdict{cost: costFolder}
	}
	return verdict{cost: costConnection}
}

// hopeless reports what does not get better by waiting: a name that does not
// exist, a certificate that nobody vouches for.
func hopeless(err error) bool {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e.IsNotFound
	}
	_, cert := errors.AsType[*tls.CertificateVerificationError](err)
	return cert
}

// What servers write when too much is asked of them: Exchange Online, Gmail, Dovecot, proxies.
var (
	throttleText = regexp.MustCompile(`(?i)throttl|back-?off|rate limit|bandwidth limit|too many (simultaneous ` +
		`)?(connections|requests|commands)|` +
		`try again (later|in)|server (is )?busy|temporarily unavailable`)
	waitText = regexp.MustCompile(`(?i)(?:back-?off|wait|retry|again)[^0-9\r\n]{0,40}?(\d{1,9}) ` +
		`?(milliseconds|ms|seconds|secs|sec|s|minutes|min|m)?\b`)
)

// throttle reads whether a server asks to come back later, and for how long
// to stay away, at most ten minutes; 0 if it does not say.
func throttle(err error) (wait time.Duration, ok bool) {
	text := ""
	if e, refused := errors.AsType[*imapwire.Error](err); refused {
		if e.Code == "OVERQUOTA" && e.Op == "APPEND" || e.Code == "TOOBIG" {
			return 0, false
		}
		text, ok = e.Text, e.Code == "THROTTLED"
		if e.Code == "UNAVAILABLE" && (e.Op == "LOGIN" || e.Op == "AUTHENTICATE") {
			ok = true
		}
	} else if e, bye := errors.AsType[*imapwire.Bye](err); bye {
		text, ok = e.Text, e.Code == "THROTTLED" || e.Code == "UNAVAILABLE"
	}
	if !ok && !throttleText.MatchString(text) {
		return 0, false
	}
	if m := waitText.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		unit := time.Second
		switch u := strings.ToLower(m[2]); {
		case strings.HasPrefix(u, "ms"), strings.HasPrefix(u, "milli"):
			unit = time.Millisecond
		case strings.HasPrefix(u, "m"):
			unit = time.Minute
		}
		wait = min(time.Duration(n)*unit, maxThrottle)
	}
	return wait, true
}

// spot is a place without what changes from attempt to attempt. Copying is
// about a source folder, whichever side fails.
func (p place) spot(uid uint32) place {
	if p.op == opCopy {
		p.side = ""
	}
	return place{side: p.side, op: p.op, folder: p.folder, uid: uid}
}

// trouble remembers, over all attempts at an account, what has failed where.
type trouble struct {
	times   map[place]int
	careful map[place]uint32 // by folder: the UID from which messages are taken one by one
	given   map[place]string // messages, and folders with uid 0, that were given up: why

	mu      sync.Mutex // lanes read different folders at a time
	digests map[digestPlace]map[uint32]bothDigests
}

func newTrouble() *trouble {
	return &trouble{times: map[place]int{}, careful: map[place]uint32{}, given: map[place]string{},
		digests: map[digestPlace]map[uint32]bothDigests{}}
}

// weigh counts a failure, judges it, and remembers what it costs for the next attempt.
func (t *trouble) weigh(err error) verdict {
	f := &failure{}
	if g, ok := errors.AsType[*failure](err); ok {
		f = g
	}
	t.times[f.at]++
	n := t.times[f.at]
	if f.times > 0 {
		n = f.times
	}
	v := judge(err, f.at, n)
	switch {
	case v.cost == costMessage || v.cost == costFolder:
		t.given[f.at.spot(f.at.uid)] = err.Error()
		delete(t.careful, f.at.spot(0))
	case v.careful:
		t.careful[f.at.spot(0)] = f.at.uid
	}
	return v
}

// gaveUp tells why a message, or a folder with uid 0, is left behind.
func (t *trouble) gaveUp(side, op, folder string, uid uint32) (why string, ok bool) {
	why, ok = t.given[place{side: side, op: op, folder: folder}.spot(uid)]
	return why, ok
}

// carefulPart splits ascending UIDs into those to be taken one by one and the rest.
func (t *trouble) carefulPart(side, op, folder string, uids imapwire.Set) (alone, rest imapwire.Set) {
	from, ok := t.careful[place{side: side, op: op, folder: folder}.spot(0)]
	if !ok {
		return nil, uids
	}
	n := 0
	for uid := range uids.All() {
		if uid >= from && n < carefulMessages {
			alone.Add(uid)
			n++
		}
	}
	return alone, uids.Without(alone)
}

// none reports that nothing has failed yet.
func (t *trouble) none() bool { return len(t.times) == 0 }

// remembered are the digests that are known of a folder.
func (t *trouble) remembered(folder digestPlace) map[uint32]bothDigests {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.digests[folder] == nil {
		t.digests[folder] = map[uint32]bothDigests{}
	}
	return t.digests[folder]
}

// progress grows whenever an attempt has found out something that the next
// one need not find out again.
func (t *trouble) progress() int {
	n := len(t.given) + len(t.careful)
	for _, d := range t.digests {
		n += len(d)
	}
	return n
}
