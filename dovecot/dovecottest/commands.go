package dovecottest

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// args are the parameters of a command.
type args map[string]any

func (a args) str(name string) string    { s, _ := a[name].(string); return s }
func (a args) list(name string) []string { l, _ := a[name].([]string); return l }
func (a args) flag(name string) bool     { b, _ := a[name].(bool); return b }
func (a args) has(name string) bool      { _, ok := a[name]; return ok }

// mailCommands run on the mail of one user.
var mailCommands = map[string]func(*Server, *mailContext) ([]row, error){
	"mailboxList":        mailboxList,
	"mailboxStatus":      mailboxStatus,
	"mailboxCreate":      mailboxCreate,
	"mailboxDelete":      mailboxDelete,
	"mailboxRename":      mailboxRename,
	"mailboxSubscribe":   mailboxSubscribe,
	"mailboxUnsubscribe": mailboxUnsubscribe,
	"mailboxPath":        mailboxPath,
	"mailboxUpdate":      mailboxUpdate,
	"mailboxMetadataGet": mailboxMetadataGet,
	"quotaGet":           quotaGet,
	"quotaRecalc":        nothing,
	"purge":              nothing,
	"index":              needsMask,
	"forceResync":        needsMask,
	"search":             search,
	"fetch":              fetch,
	"expunge":            expunge,
	"save":               save,
	"copy":               copyMessages,
	"move":               copyMessages,
	"flagsAdd":           changeFlags,
	"flagsRemove":        changeFlags,
	"flagsReplace":       changeFlags,
	"aclGet":             aclGet,
	"aclSet":             aclChange,
	"aclAdd":             aclChange,
	"aclRemove":          aclChange,
	"aclDelete":          aclChange,
	"aclRights":          aclRightsOf,
	"backup":             dsync,
	"sync":               dsync,
	"sieveList":          sieveList,
	"sieveGet":           sieveGet,
	"sievePut":           sievePut,
	"sieveDelete":        sieveDelete,
	"sieveActivate":      sieveActivate,
	"sieveDeactivate":    sieveDeactivate,
}

// otherCommands concern the host.
var otherCommands = map[string]func(*Server, args) (result, error){
	"user":           userdb,
	"authCacheFlush": authCacheFlush,
	"who":            who,
	"kick":           kick,
	"fsStat":         fsStat,
	"fsDelete":       fsDelete,
	"fsIterDirs":     fsIterDirs,
	"dictSet":        dictSet,
	"dictGet":        dictGet,
	"dictUnset":      dictUnset,
	"reload":         func(*Server, args) (result, error) { return result{}, nil },
	"mailboxMutf7":   func(*Server, args) (result, error) { return result{}, nil },
	"logErrors":      logErrors,
	"directorStatus": directorStatus,
	"directorMove":   directorMove,
}

// mailContext is a mail command for one user, with the store locked.
type mailContext struct {
	args
	command string
	user    User
	st      *store
}

func nothing(*Server, *mailContext) ([]row, error) { return nil, nil }

func needsMask(s *Server, c *mailContext) ([]row, error) {
	if !c.has("mailboxMask") {
		return nil, errDied
	}
	return nil, nil
}

// command runs a command. What the simulator does not know answers exit code
// 75 and says so in its log.
func (s *Server) command(d *declared, params map[string]any) (result, error) {
	a := args(params)
	if run := otherCommands[d.name]; run != nil {
		return run(s, a)
	}
	run := mailCommands[d.name]
	if run == nil {
		s.logf("dovecottest: command %s is not simulated", d.name)
		return result{}, exit(75)
	}
	one := func(u User) ([]row, error) {
		if u.badLimit() {
			s.logf("Failed to initialize quota: Invalid quota root quota: Invalid rule *:storage=%s", *u.limit)
			return nil, exit(75)
		}
		st := s.store(u)
		st.mu.Lock()
		defer st.mu.Unlock()
		return run(s, &mailContext{args: a, command: d.name, user: u, st: st})
	}
	name := a.str("user")
	switch {
	case a.flag("allUsers"):
		name = "*"
	case !a.has("user"):
		return result{}, errDied
	}
	if !strings.ContainsAny(name, "*?") {
		s.mu.Lock()
		u, ok := s.lookup(name)
		if ok {
			s.place(name)
		}
		s.mu.Unlock()
		if !ok {
			return result{}, exit(67)
		}
		rows, err := one(u)
		return result{rows: rows}, err
	}
	// A mask: every user that matches, and rows say whose they are.
	var all result
	var failed error
	for _, n := range s.userNames() {
		u, ok := s.User(n)
		if !ok || !matchUser(name, n) {
			continue
		}
		s.mu.Lock()
		u = s.withLimit(u)
		s.mu.Unlock()
		if u.badLimit() {
			continue // passed over in silence
		}
		rows, err := one(u)
		if err == errDied {
			return result{}, err
		}
		if err != nil && failed == nil {
			failed = err
		}
		for _, r := range rows {
			all.rows = append(all.rows, append(row{{"username", n}}, r...))
		}
	}
	return all, failed
}

func userdb(s *Server, a args) (result, error) {
	masks := a.list("userMask")
	if len(masks) == 0 {
		return result{}, exit(64)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(masks, func(m string) bool { return strings.ContainsAny(m, "*?") }) {
		names := []string{}
		for _, n := range sortedKeys(s.users) {
			if slices.ContainsFunc(masks, func(m string) bool { return matchUser(m, n) }) {
				names = append(names, n)
			}
		}
		return result{object: map[string]any{"userList": names}}, nil
	}
	out := map[string]map[string]string{}
	for _, n := range masks {
		u, ok := s.lookup(n)
		if !ok {
			return result{}, exit(67)
		}
		fields := map[string]string{"uid": "vmail", "gid": "vmail", "home": u.Home}
		key := u.Name
		if s.cfg.series24 {
			fields["mail_path"] = u.Home + "/Maildir" // the driver is the configuration's
			if key = n; n != u.Name {
				fields["user"] = u.Name
			}
		} else {
			fields["mail"] = "maildir:~/Maildir"
		}
		s.quotaField(u, fields)
		if f := a.str("field"); f != "" {
			for k := range fields {
				if k != f {
					delete(fields, k)
				}
			}
		}
		out[key] = fields
	}
	return result{object: out}, nil
}

func authCacheFlush(s *Server, a args) (result, error) {
	users := a.list("user")
	if len(users) == 0 || s.cfg.series24 { // no command for 2.4.1 over HTTP
		return result{}, errDied
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for name := range s.cache {
		if len(users) == 0 || slices.Contains(users, name) {
			delete(s.cache, name)
			n++
		}
	}
	return result{rows: []row{{{"entries", strconv.Itoa(n)}}}}, nil
}

// sessionsFor returns the sessions whose user matches the masks, by PID.
func (s *Server) sessionsFor(masks []string) []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*session
	for x := range s.sessions {
		if len(masks) == 0 || x.matches(masks[0]) {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b *session) int { return a.pid - b.pid })
	return list
}

// matches tells whether a mask of who and kick selects a session: one that
// reads as an address or a network is about the client's address.
func (x *session) matches(mask string) bool {
	if net, ok := network(mask); ok {
		ip, err := netip.ParseAddr(x.ip)
		return err == nil && net.Contains(ip)
	}
	return matchUser(mask, x.user.Name)
}

// network reads "10.1.2.3", "10.1.0.0/16", "::1" and what inet_aton makes of
// fewer parts: "127.1".
func network(mask string) (netip.Prefix, bool) {
	addr, bits, some := strings.Cut(mask, "/")
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		parts := strings.Split(addr, ".")
		var n uint64
		for i, p := range parts {
			v, err := strconv.ParseUint(p, 0, 32)
			if err != nil || len(parts) < 2 || len(parts) > 4 {
				return netip.Prefix{}, false
			}
			if i < len(parts)-1 {
				v <<= 24 - 8*i
			}
			n += v
		}
		ip = netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	if !some {
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	n, err := strconv.Atoi(bits)
	net := netip.PrefixFrom(ip, n)
	return net, err == nil && net.IsValid()
}

func who(s *Server, a args) (result, error) {
	list := s.sessionsFor(a.list("mask"))
	var rows []row
	if a.flag("separateConnections") {
		for _, x := range list {
			rows = append(rows, row{{"username", x.user.Name}, {"service", "imap"}, {"pid", strconv.Itoa(x.pid)}, {"ip", x.ip}})
		}
		return result{rows: rows}, nil
	}
	var names []string
	by := map[string][]*session{}
	for _, x := range list {
		if by[x.user.Name] == nil {
			names = append(names, x.user.Name)
		}
		by[x.user.Name] = append(by[x.user.Name], x)
	}
	for _, n := range names {
		var pids, ips []string
		for _, x := range by[n] {
			pids = append(pids, strconv.Itoa(x.pid))
			if !slices.Contains(ips, x.ip) {
				ips = append(ips, x.ip)
			}
		}
		rows = append(rows, row{{"username", n}, {"connections", strconv.Itoa(len(by[n]))}, {"service", "imap"},
			{"pids", "(" + strings.Join(pids, " ") + ")"}, {"ips", "(" + strings.Join(ips, " ") + ")"}})
	}
	return result{rows: rows, spilt: !s.cfg.series24}, nil
}

func kick(s *Server, a args) (result, error) {
	masks := a.list("mask")
	if len(masks) != 1 {
		return result{}, exit(64)
	}
	list := s.sessionsFor(masks)
	var rows []row
	seen := map[string]bool{}
	for _, x := range list {
		x.kick()
		if !seen[x.user.Name] {
			rows = append(rows, row{{"result", x.user.Name}})
		}
		seen[x.user.Name] = true
	}
	if s.cfg.series24 {
		return result{rows: []row{{{"count", strconv.Itoa(len(list))}}}}, nil
	}
	if len(list) == 0 {
		return result{}, exit(68)
	}
	return result{rows: rows}, nil
}

// The simulated file system knows the mail root, homes that hold mail, and the
// Maildir in each.

func (s *Server) exists(p string) bool {
	p = cleanHome(p)
	if p == cleanHome(s.cfg.mailRoot) {
		return true
	}
	for home := range s.stores {
		if p == home || p == home+"/Maildir" {
			return true
		}
	}
	return false
}

// hasFiles reports whether a command says which file system it is about.
func (s *Server) hasFiles(a args) bool {
	if s.cfg.series24 {
		return a.has("filterName")
	}
	return a.has("fsArgs") && a.has("fsDriver")
}

func fsStat(s *Server, a args) (result, error) {
	if !s.hasFiles(a) || !a.has("path") {
		return result{}, errDied
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := a.str("path")
	if !path.IsAbs(p) || !s.exists(p) {
		return result{}, exit(68)
	}
	return result{rows: []row{{{"path", p}, {"size", 4096}}}}, nil
}

func fsDelete(s *Server, a args) (result, error) {
	if !s.hasFiles(a) || len(a.list("path")) == 0 {
		return result{}, errDied
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, p := range a.list("path") {
		p = cleanHome(p)
		if !s.exists(p) || !a.flag("recursive") || !s.cfg.series24 && a.str("fsArgs") != "dirs" {
			err = exit(75)
			continue
		}
		for home, st := range s.stores {
			if home == p || strings.HasPrefix(home, p+"/") || home+"/Maildir" == p {
				delete(s.stores, home)
				st.vanish()
			}
		}
	}
	return result{}, err
}

// vanish ends a store whose files were deleted; sessions lose their mailbox.
func (st *store) vanish() {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, b := range st.boxes {
		st.drop(b)
	}
	clear(st.subs)
	clear(st.scripts)
	st.active = ""
}

func fsIterDirs(s *Server, a args) (result, error) {
	if !a.has("fsArgs") || !a.has("fsDriver") || !a.has("path") {
		return result{}, errDied
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := cleanHome(a.str("path"))
	var rows []row
	for _, home := range sortedKeys(s.stores) {
		if path.Dir(home) == p {
			rows = append(rows, row{{"path", path.Base(home)}})
		}
		if home == p {
			rows = append(rows, row{{"path", "Maildir"}})
		}
	}
	return result{rows: rows}, nil
}

func logErrors(s *Server, a args) (result, error) {
	since, _ := a["since"].(int64)
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []row
	for _, l := range s.logLines {
		if l.at.Unix() >= since {
			rows = append(rows, row{{"timestamp", l.at.Format("Jan 02 15:04:05")}, {"prefix", "doveadm"}, {"type", "Error"},
				{"text", l.text}})
		}
	}
	return result{rows: rows}, nil
}

func directorStatus(s *Server, a args) (result, error) {
	if len(s.cfg.backends) == 0 {
		return result{}, errDied
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !a.has("user") {
		var rows []row
		for _, b := range s.cfg.backends {
			n := 0
			for _, p := range s.placed {
				if p == b {
					n++
				}
			}
			rows = append(rows, row{{"mail server ip", b}, {"tag", ""}, {"vhosts", "100"}, {"state", "up"},
				{"state-changed", "-"}, {"users", strconv.Itoa(n)}})
		}
		return result{rows: rows}, nil
	}
	hashed := s.hashed(a.str("user"))
	if p, ok := s.placed[a.str("user")]; ok {
		return result{rows: []row{{{"status", p}, {"expires", s.cfg.now().Add(15 * time.Minute).Format(time.DateTime)},
			{"hashed", hashed}, {"initial-config", hashed}}}}, nil
	}
	return result{rows: []row{{{"status", "n/a"}, {"expires", "-1"}, {"hashed", hashed}, {"initial-config", hashed}}}}, nil
}

// hashed is the backend that the director chooses by itself.
func (s *Server) hashed(user string) string {
	if u := s.users[user]; u.Backend != "" {
		return u.Backend
	}
	return s.cfg.backends[0]
}

// place assigns a user at whose mail somebody looks through the director. The
// caller holds s.mu.
func (s *Server) place(user string) {
	if len(s.cfg.backends) > 0 && s.placed[user] == "" {
		s.placed[user] = s.hashed(user)
	}
}

func directorMove(s *Server, a args) (result, error) {
	if len(s.cfg.backends) == 0 || !a.has("user") || !a.has("host") {
		return result{}, errDied
	}
	if !slices.Contains(s.cfg.backends, a.str("host")) {
		return result{}, exit(68)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.placed[a.str("user")] = a.str("host")
	return result{}, nil
}

// quotaField adds the user's own storage limit, if any, to the fields of the userdb.
func (s *Server) quotaField(u User, fields map[string]string) {
	switch new := s.cfg.series24; {
	case u.limit != nil && new:
		fields["quota_storage_size"] = *u.limit + "K"
	case u.limit != nil:
		fields["quota_rule"] = "*:storage=" + *u.limit
	case u.QuotaBytes > 0 && new:
		fields["quota_storage_size"] = fmt.Sprintf("%dB", u.QuotaBytes)
	case u.QuotaBytes > 0:
		fields["quota_rule"] = fmt.Sprintf("*:bytes=%d", u.QuotaBytes)
	}
}
