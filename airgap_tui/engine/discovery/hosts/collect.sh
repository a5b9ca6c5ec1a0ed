# Gathers, on one host, the raw material of what images are in use there, and writes it to stdout.
#
# POSIX sh (dash, busybox ash, bash), read from stdin by `sh -s`; nothing is installed or written.
# Before it stands what collecting.py sets: mark, want, since, each, most, files, probe; its arguments are
# directories to search. The stream is of frames that begin with a line "MARK word ...", where MARK
# is random, so that nothing in the material can be taken for one:
#
#   MARK hello UID ZONE HOST       first; the zone as +0100
#   MARK cluster SYSTEM NAME       the host is part of it
#   MARK begin KIND FORM PATH      then the material, byte for byte, then
#   MARK said                      then the end of what the program complained of, its exit code, and
#   MARK end
#   MARK absent KIND WHAT          no such source here
#   MARK denied KIND PATH          it is here and may not be read
#   MARK unread KIND COUNT PATH    so many of them could not be had
#   MARK missing KIND WHAT         it has to be here, and is not found
#   MARK unmounted KIND COUNT WHAT so many of them would have to be mounted first
#   MARK read KIND WHAT            it is here and was looked through, even if it held nothing
#   MARK done                      last: nothing was broken off

have() { command -v "$1" >/dev/null 2>&1; }

wanted() {
    case " $want " in *" $1 "*) return 0 ;; esac
    return 1
}

# A path with control characters would break the frames, and means no good.
tell() {
    case $* in
    *[[:cntrl:]]*)
        printf '\n%s unread - 1 a name with control characters\n' "$mark" >&3
        return 1
        ;;
    esac
    printf '\n%s %s\n' "$mark" "$*" >&3
}

timed() {
    if [ "$patient" ]; then "$@"; else timeout "$each" "$@"; fi
}

# run KIND FORM PATH COMMAND...: a frame with what the command writes, its last words, its status.
run() {
    tell begin "$1" "$2" "$3" || return 0
    shift 3
    said=$({ {
        "$@" </dev/null 2>&4 3>&-
        printf '\n%s\n' "$?" >&4
    } | head -c "$most" >&3; } 4>&1 | tail -c 600)
    printf '\n%s said\n%s\n%s end\n' "$mark" "$said" "$mark" >&3
}

# read_file KIND FORM PATH
read_file() {
    if [ -r "$3" ]; then run "$1" "$2" "$3" cat "$3"; else tell denied "$1" "$3"; fi
}

# --- engines --------------------------------------------------------------------------------------

from_docker() {
    if ! have docker; then tell absent docker docker; return; fi
    if timed docker --version 2>/dev/null | grep -qi podman; then tell absent docker docker; return; fi
    run docker lines 'docker image ls' \
        timed docker image ls --no-trunc --digests --format '{{json .}}'
}

from_podman() {
    if ! have podman; then tell absent podman podman; return; fi
    run podman json 'podman images' timed podman images --format json
}

# The namespaces of containerd other than Docker's own, and in k8s.io what the kubelet pulled.
from_containerd() {
    found=
    for socket in "${CONTAINERD_ADDRESS:-}" /run/containerd/containerd.sock \
        /run/k3s/containerd/containerd.sock; do
        if [ ! -S "$socket" ] || [ "$socket" = "$found" ]; then continue; fi
        found=$socket
        if [ ! -w "$socket" ]; then tell denied containerd "$socket"; continue; fi
        kubelet=
        if have crictl && timed crictl --runtime-endpoint "unix://$socket" info >/dev/null 2>&1; then
            kubelet=yes
            run containerd crictl "crictl images ($socket)" \
                timed crictl --runtime-endpoint "unix://$socket" images -o json
        fi
        if have ctr; then
            spaces=$(timed ctr --address "$socket" namespaces ls -q 2>/dev/null)
        elif have nerdctl; then
            spaces=$(timed nerdctl --address "$socket" namespace ls -q 2>/dev/null)
        elif [ "$kubelet" ]; then
            continue
        else
            tell denied containerd "$socket"
            continue
        fi
        if [ -z "$spaces" ] && [ -z "$kubelet" ]; then spaces=default; fi
        for space in $spaces; do
            case $space in
            moby | *[!A-Za-z0-9._-]* | -*) continue ;;
            k8s.io) [ -z "$kubelet" ] || continue ;;
            esac
            if have ctr; then
                run containerd ctr "ctr -n $space images ls ($socket)" \
                    timed ctr --address "$socket" -n "$space" images ls
            else
                run containerd nerdctl "nerdctl -n $space images ($socket)" \
                    timed nerdctl --address "$socket" -n "$space" images --no-trunc --format json
            fi
        done
    done
    [ "$found" ] || tell absent containerd containerd
}

# --- people ---------------------------------------------------------------------------------------

homes() {
    if [ "$(id -u)" = 0 ]; then
        { getent passwd || cat /etc/passwd; } 2>/dev/null | cut -d: -f6 | sort -u
    else
        printf '%s\n' "$HOME"
    fi
}

# Homes below an automounter: to look at each would mount them all, on every host at once.
automounted() {
    folders=$(sed -n 's/^[^ ]* \([^ ]*\) autofs [^ ]*indirect.*/\1/p' /proc/mounts 2>/dev/null)
    [ -n "$folders" ] || return 0
    homes | while IFS= read -r home; do
        case "
$folders
" in *"
${home%/*}
"*) grep -q " $home " /proc/mounts || printf '%s\n' "$home" ;;
        esac
    done
}

from_history() {
    asleep=$(automounted)
    if [ "$asleep" ]; then
        tell unmounted history "$(printf '%s\n' "$asleep" | grep -c /)" 'homes of other users'
    fi
    homes | while IFS= read -r home; do
        case $home in /?*) ;; *) continue ;; esac
        case "
$asleep
" in *"
$home
"*) continue ;;
        esac
        [ -d "$home" ] || continue
        if [ ! -x "$home" ]; then tell denied history "$home"; continue; fi
        for name in .bash_history .zsh_history .zhistory .histfile .history .sh_history .ash_history; do
            if [ -s "$home/$name" ]; then read_file history text "$home/$name"; fi
        done
        name=.local/share/fish/fish_history
        if [ -s "$home/$name" ]; then read_file history text "$home/$name"; fi
    done
    tell read history "$(id -u)"
}

from_enroot() {
    found=
    for data in "${ENROOT_DATA_PATH:-}" /var/lib/enroot-data/user-* /tmp/enroot-data/user-*; do
        containers_of "$data"
    done
    if [ "$(id -u)" = 0 ]; then
        for data in /run/enroot/user-* /var/lib/enroot/user-*; do containers_of "$data"; done
    fi
    asleep=$(automounted)
    list=$(homes)
    while IFS= read -r home; do
        case $home in /?*) ;; *) continue ;; esac
        case "
$asleep
" in *"
$home
"*) continue ;;
        esac
        [ -d "$home" ] || continue
        containers_of "$home/.local/share/enroot"
        for name in "$home"/*.sqsh; do
            if [ -f "$name" ]; then found=yes; squashfs "$name"; fi
        done
    done <<END
$list
END
    if [ "$found" ] || have enroot; then tell read enroot enroot; else tell absent enroot enroot; fi
}

# Enroot keeps one directory per container; the head of its etc/rc may tell the image.
containers_of() {
    case $1 in '') return ;; esac
    [ -d "$1" ] || return 0
    found=yes
    if [ ! -r "$1" ] || [ ! -x "$1" ]; then tell denied enroot "$1"; return; fi
    for container in "$1"/*; do
        if [ ! -d "$container" ]; then continue; fi
        tell begin enroot container "$container" || continue
        if [ -r "$container/etc/rc" ]; then head -n 40 "$container/etc/rc" 2>/dev/null | head -c 65536 >&3; fi
        ended
    done
}

# Its name hints at the image; what an importer of Pyxis noted beside it tells it.
squashfs() {
    tell begin enroot squashfs "$1" || return 0
    if have getfattr; then
        timed getfattr --absolute-names -n user.image_uri --only-values "$1" 2>/dev/null </dev/null |
            head -c 4096 >&3
    fi
    ended
}

ended() { printf '\n%s said\n0\n%s end\n' "$mark" "$mark" >&3; }

# --- Slurm ----------------------------------------------------------------------------------------

slurm_logs() {
    for conf in "${SLURM_CONF:-}" /etc/slurm/slurm.conf /etc/slurm-llnl/slurm.conf \
        /run/slurm/conf/slurm.conf /var/spool/slurmd/conf-cache/slurm.conf \
        /opt/slurm/etc/slurm.conf /usr/local/etc/slurm.conf; do
        if [ -r "$conf" ]; then
            sed -n 's/^[[:space:]]*[Ss]lurmd[Ll]og[Ff]ile[[:space:]]*=[[:space:]]*\([^[:space:]#]*\).*/\1/p' \
                "$conf" 2>/dev/null | sed "s/%[hn]/$(uname -n | cut -d. -f1)/g"
        fi
    done
    printf '%s\n' /var/log/slurm/slurmd.log /var/log/slurmd.log /var/log/slurm-llnl/slurmd.log
}

picked() {
    case $1 in
    *.gz) gzip -dc <"$1" ;;
    *.xz) xz -dc <"$1" ;;
    *.bz2) bzip2 -dc <"$1" ;;
    *.zst) zstd -dc <"$1" ;;
    *) cat "$1" ;;
    esac | pyxis_lines
}

# The lines about Pyxis with their numbers, as `12:text`; none is no failure.
pyxis_lines() { grep -n $binary -F pyxis || [ $? = 1 ]; }

from_slurmd_log() {
    found=
    list=$(slurm_logs | sort -u)
    while IFS= read -r log; do
        case $log in /?*) ;; *) continue ;; esac
        folder=${log%/*}
        if [ -d "$folder" ] && { [ ! -r "$folder" ] || [ ! -x "$folder" ]; }; then
            tell denied slurmd-log "$folder"
            found=yes
            continue
        fi
        for name in "$log" "$log".* "$log"-*; do
            [ -f "$name" ] || continue
            found=yes
            if [ -r "$name" ]; then
                run slurmd-log numbered "$name" picked "$name"
            else
                tell denied slurmd-log "$name"
            fi
        done
    done <<END
$list
END
    [ -z "$found" ] || return 0
    if ! have slurmd; then tell absent slurmd-log slurmd; return; fi
    # Without a file of its own slurmd writes to the system's log.
    for name in /var/log/syslog /var/log/syslog.* /var/log/messages /var/log/messages-*; do
        [ -f "$name" ] || continue
        found=yes
        if [ -r "$name" ]; then
            run slurmd-log numbered "$name" picked "$name"
        else
            tell denied slurmd-log "$name"
        fi
    done
    if have journalctl && [ "$(timed journalctl -q --no-pager -n 1 -o cat -u slurmd 2>/dev/null)" ]; then
        found=yes
        run slurmd-log numbered 'journalctl -u slurmd' journal
    fi
    [ "$found" ] || tell missing slurmd-log 'log of slurmd'
}

journal() {
    timed journalctl -q --no-pager -o short-iso -u slurmd --since "-${since}d" </dev/null | pyxis_lines
}

from_sacct() {
    if ! have sacct; then tell absent submit-line sacct; return; fi
    # With its steps: a job script runs its containers by srun, which has a line of its own.
    run submit-line sacct 'sacct -o SubmitLine' timed sacct -a -P -S "now-${since}days" \
        -o JobID,Submit,State,SubmitLine
}

from_jobs() {
    if ! have squeue || ! have scontrol; then tell absent job-script squeue; return; fi
    if ! jobs=$(timed squeue -h -o '%A' 2>&1); then
        run job-script text squeue timed squeue -h -o '%A'
        return
    fi
    unread=0
    count=0
    for job in $(printf '%s\n' "$jobs" | sort -un); do
        case $job in *[!0-9]*) continue ;; esac
        count=$((count + 1))
        if [ "$count" -gt 1000 ]; then unread=$((unread + 1)); continue; fi
        # An interactive job has no script; another one's may not be read by everybody.
        if script=$(timed scontrol write batch_script "$job" - 2>&1 </dev/null); then
            tell begin job-script text "job $job" || continue
            printf '%s\n' "$script" | head -c 1048576 >&3
            ended
        else
            case $script in *[Pp]ermission* | *[Aa]ccess*) unread=$((unread + 1)) ;; esac
        fi
    done
    [ "$unread" = 0 ] || tell unread job-script "$unread" 'scripts of queued jobs'
    tell read job-script squeue
}

# --- Kubernetes -----------------------------------------------------------------------------------

# Finds kubectl and a configuration for it; says what of them is absent.
find_kubectl() {
    kubectl=
    for program in kubectl /var/lib/rancher/rke2/bin/kubectl; do
        if have "$program"; then kubectl=$program; break; fi
    done
    lacking=kubectl
    [ "$kubectl" ] || return 1
    if [ -z "${KUBECONFIG:-}" ] && [ ! -e "$HOME/.kube/config" ]; then
        for config in /etc/kubernetes/admin.conf /etc/rancher/rke2/rke2.yaml /etc/rancher/k3s/k3s.yaml; do
            if [ -r "$config" ]; then KUBECONFIG=$config; export KUBECONFIG; break; fi
        done
    fi
    wait=--request-timeout=${each}s
    lacking='configuration of kubectl'
    [ "${KUBECONFIG:-}" ] || [ -e "$HOME/.kube/config" ]
}

from_kubernetes() {
    if ! find_kubectl; then tell absent kubernetes "$lacking"; return; fi
    run kubernetes json 'kubectl get pods' timed "$kubectl" get pods -A -o json "$wait"
    run kubernetes json 'kubectl get workloads' timed "$kubectl" get \
        deployments,daemonsets,statefulsets,cronjobs,jobs -A -o json "$wait"
    run kubernetes json 'kubectl get nodes' timed "$kubectl" get nodes -o json "$wait"
    resources=$(timed "$kubectl" api-resources --verbs=list -o name "$wait" 2>/dev/null)
    for resource in clusterpolicies.nvidia.com nvidiadrivers.nvidia.com \
        nicclusterpolicies.mellanox.com; do
        case "
$resources
" in *"
$resource
"*) run kubernetes json "kubectl get $resource" timed "$kubectl" get "$resource" -o json "$wait" ;;
        esac
    done
}

# --- clusters -------------------------------------------------------------------------------------

# Which clusters this host is part of, so that each is asked once and not by each of its hosts.
clusters() {
    if have sacct || have squeue; then
        name=$(timed scontrol show config 2>/dev/null | sed -n 's/^ClusterName *= *//p')
        tell cluster slurm "${name:-unknown}"
    fi
    if find_kubectl; then
        name=$(timed "$kubectl" get namespace kube-system -o 'jsonpath={.metadata.uid}' "$wait" \
            2>/dev/null)
        tell cluster kubernetes "${name:-unknown}"
    fi
}

# --- directories ----------------------------------------------------------------------------------

search() {
    case $1 in /*) folder=$1 ;; *) folder=$HOME/$1 ;; esac
    if [ ! -d "$folder" ]; then tell missing - "$folder"; return; fi
    if [ ! -r "$folder" ] || [ ! -x "$folder" ]; then tell denied - "$folder"; return; fi
    # Once to tell what it may not look into, and how many files there are.
    run - listing "$folder" below "$folder"
    below "$folder" 2>/dev/null | head -n "$files" | while IFS= read -r name; do
        # What does not begin so is the rest of a name with a line break, and could be any path.
        case $name in
        "${folder%/}"/*) found_file "$name" ;;
        *) tell unread - 1 "a file below $folder with a line break in its name" ;;
        esac
    done
}

below() {
    find "$1" -type d \( -name .git -o -name node_modules \) -prune -o -type f -print
}

found_file() {
    case ${1##*/} in
    *.sif | *.simg) image_file "$1" ;;
    *.sqsh | *.squashfs) squashfs "$1" ;;
    *.def | *.recipe | [Ss]ingularity* | [Aa]pptainer* | *ockerfile* | *ontainerfile* | *compose*.y*ml | \
        *.nf | *.config | [Ss]nakefile* | *.smk | *.sh | *.bash | *.sbatch | *.slurm | *.job | *.y*ml | \
        slurm-*.out) text_file "$1" ;;
    *.*) ;;
    *) case $(head -c 2 "$1" 2>/dev/null) in '#!') text_file "$1" ;; esac ;;
    esac
}

text_file() {
    if [ ! -r "$1" ]; then tell denied - "$1"; return; fi
    # What is larger was not written by hand.
    if [ -z "$(find "$1" -size +2048k 2>/dev/null)" ]; then run - file "$1" cat "$1"; fi
}

image_file() {
    for program in apptainer singularity; do
        if have "$program"; then
            run sif json "$1" timed "$program" inspect --json "$1"
            return
        fi
    done
    tell unread sif 1 "$1"
}

# --- all ------------------------------------------------------------------------------------------

main() {
    exec 3>&1
    PATH=$PATH:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin
    PATH=$PATH:/var/lib/rancher/rke2/bin:/opt/slurm/bin:/usr/local/slurm/bin
    LC_ALL=C
    export PATH LC_ALL
    unset SLURM_TIME_FORMAT SQUEUE_FORMAT SACCT_FORMAT
    patient=yes
    if have timeout && timeout 5 true 2>/dev/null; then patient=; fi
    binary=
    if echo x | grep -a x >/dev/null 2>&1; then binary=-a; fi
    tell hello "$(id -u)" "$(date +%z)" "$(uname -n)"
    if [ "$probe" ]; then clusters; fi
    if wanted docker; then from_docker; fi
    if wanted podman; then from_podman; fi
    if wanted containerd; then from_containerd; fi
    if wanted history; then from_history; fi
    if wanted enroot; then from_enroot; fi
    if wanted slurmd-log; then from_slurmd_log; fi
    if wanted submit-line; then from_sacct; fi
    if wanted job-script; then from_jobs; fi
    if wanted kubernetes; then from_kubernetes; fi
    for folder in "$@"; do search "$folder"; done
    tell done
}

# All of it is read before any of it runs, and no program can read on in the script.
main "$@" </dev/null
exit 0
