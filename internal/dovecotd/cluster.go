package dovecotd

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/ictmedia/schoolmail/internal/lacking"
)

// Cluster is a director in front of two backends, three instances with homes
// of their own. The director passes doveadm commands about mail to the backend
// it has placed the user on; IMAP is at the backends.
type Cluster struct {
	Director *Server
	Backends [2]*Server
	// IPs are the addresses by which the director knows the backends.
	IPs [2]string
}

// StartCluster starts a cluster for the length of the test; cfg is that of the
// backends, Users that of all. It needs the addresses 127.0.0.2 to 127.0.0.4,
// which every Linux has.
func StartCluster(tb testing.TB, cfg Config) *Cluster {
	tb.Helper()
	c := &Cluster{IPs: [2]string{"127.0.0.2", "127.0.0.3"}}
	// The director knows one port for all backends.
	port, err := commonPort(c.IPs[:]...)
	if err != nil {
		lacking.Skip(tb, err)
	}
	for i, ip := range c.IPs {
		backend := cfg
		backend.Listen, backend.DoveadmPort = ip, port
		c.Backends[i] = Start(tb, &backend)
	}
	front := cfg
	front.Users = make([]User, len(cfg.Users))
	for i, u := range cfg.Users {
		front.Users[i] = User{Name: u.Name, Password: u.Password, Fields: []string{"proxy=y"}}
	}
	ring, err := commonPort(ringIP)
	if err != nil {
		tb.Fatal(err)
	}
	front.Extra += fmt.Sprintf(directorConfig, ring, c.IPs[0], c.IPs[1], port, ring)
	c.Director = Start(tb, &front)
	return c
}

// ringIP is an address of its own for the directors' talk among themselves, where
// no other test takes the port away.
const ringIP = "127.0.0.4"

const directorConfig = `
director_servers = ` + ringIP + `:%d
director_mail_servers = %s %s
doveadm_port = %d
service director {
  chroot =
  unix_listener login/director {
    mode = 0666
  }
  fifo_listener login/proxy-notify {
    mode = 0666
  }
  unix_listener director-userdb {
    mode = 0666
  }
  inet_listener {
    address = ` + ringIP + `
    port = %d
  }
}
service ipc {
  chroot =
  unix_listener ipc {
    mode = 0666
  }
}
protocol doveadm {
  auth_socket_path = director-userdb
}
`

// commonPort finds a port that is free at all addresses.
func commonPort(addrs ...string) (int, error) {
	for range 20 {
		l, err := net.Listen("tcp", addrs[0]+":0")
		if err != nil {
			return 0, err
		}
		port, free := l.Addr().(*net.TCPAddr).Port, true
		for _, a := range addrs[1:] {
			m, err := net.Listen("tcp", fmt.Sprintf("%s:%d", a, port))
			if err != nil {
				free = false
				continue
			}
			m.Close()
		}
		l.Close()
		if free {
			return port, nil
		}
	}
	return 0, errors.New("dovecotd: no port is free at all addresses")
}
