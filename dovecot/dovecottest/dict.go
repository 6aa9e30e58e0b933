package dovecottest

import "strings"

// quotaKey is the dict's key of a user's storage limit, in KiB.
const quotaKey = "priv/quota/limit/storage"

// dictKey makes one name space of users' and shared keys, as a dict of files
// does: "priv/x" of a user is "shared/USER/x".
func dictKey(user, key string) string {
	if rest, ok := strings.CutPrefix(key, "priv/"); ok {
		return user + "/" + rest
	}
	return strings.TrimPrefix(key, "shared/")
}

// dictArgs checks what all dict commands need and returns the full key. The
// user is just a name: no userdb is asked, and * is no mask.
func (s *Server) dictArgs(a args, needs ...string) (string, error) {
	name := "dictUri"
	if s.cfg.series24 {
		name = "filterName"
	}
	for _, n := range append([]string{name, "key"}, needs...) {
		if !a.has(n) {
			return "", exit(64)
		}
	}
	key, uri := a.str("key"), a.str(name)
	private := strings.HasPrefix(key, "priv/")
	if !private && !strings.HasPrefix(key, "shared/") || private && !a.has("user") {
		return "", exit(64)
	}
	if uri == "" || uri != s.cfg.quotaDict {
		if s.cfg.series24 {
			s.logf("cmd dict set: dict_init() failed: dict { .. } named list filter is missing")
		} else if name, ok := strings.CutPrefix(uri, "proxy::"); ok {
			s.logf("conn unix:dict: Unconfigured dictionary name '%s'", name)
		} else {
			s.logf("dict_init(%s) failed: Unknown dict module", uri)
		}
		return "", exit(75)
	}
	return dictKey(a.str("user"), key), nil
}

func dictSet(s *Server, a args) (result, error) {
	key, err := s.dictArgs(a, "value")
	if err != nil {
		return result{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dict[key] = a.str("value")
	return result{}, nil
}

func dictGet(s *Server, a args) (result, error) {
	key, err := s.dictArgs(a)
	if err != nil {
		return result{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.dict[key]
	if !ok {
		return result{}, exit(68)
	}
	return result{rows: []row{{{"value", v}}}}, nil
}

// dictUnset of a key that is not there fails, as a file that is not there
// cannot be deleted.
func dictUnset(s *Server, a args) (result, error) {
	key, err := s.dictArgs(a)
	if err != nil {
		return result{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.dict[key]; !ok {
		return result{}, exit(75)
	}
	delete(s.dict, key)
	return result{}, nil
}
