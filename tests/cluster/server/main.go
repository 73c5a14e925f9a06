// The programs of a Kubernetes control plane, unmodified, in one binary.
//
//	testcluster COMPONENT [flags of the program of that name]
//	testcluster pki DIR URL NAME=USER[/GROUP,...]...
//
// With TESTCLUSTER_ENDS_WITH_STDIN set, a component ends when its input does: when whoever started it is gone.
// Built with the tag lean there are etcd and kube-apiserver only.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	_ "time/tzdata" // time zones of CronJobs

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// components are the programs by name. They read os.Args and return their exit code.
var components = map[string]func() int{
	"etcd": func() int {
		etcdmain.Main(os.Args)
		return 0
	},
	"kube-apiserver": func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"pki": func() int {
		if err := pki(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	},
}

func endWithStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}

func main() {
	if len(os.Args) > 1 {
		if run, known := components[os.Args[1]]; known {
			os.Args = os.Args[1:]
			if os.Getenv("TESTCLUSTER_ENDS_WITH_STDIN") != "" {
				go endWithStdin()
			}
			os.Exit(run())
		}
	}
	names := make([]string, 0, len(components))
	for name := range components {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Fprintf(os.Stderr, "usage: testcluster %s [flags]\n", strings.Join(names, "|"))
	os.Exit(2)
}
