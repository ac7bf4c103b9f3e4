#!/bin/bash
# sbatch docs/cluster/slurm.sh [SUITE…]: a Ray cluster for as long as the job lasts, and the suites on it (default: papers).
# Two minutes before its time is up the run is asked to stop, as by Ctrl-C: submitted again, it goes on with what is missing.
#SBATCH --job-name=lt-bench
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --output=lt-bench-%j.log
set -euo pipefail

SHARED=${SHARED:-/shared}                      # seen by all nodes
GPUS_PER_TRIAL=${GPUS_PER_TRIAL:-0.25}
CPUS_PER_TRIAL=${CPUS_PER_TRIAL:-1}
cd "$SHARED/lt-bench"                          # this repository, its requirements installed in .venv
source .venv/bin/activate

# A token of this job's own, so that nobody else on the network commands its nodes; srun hands the environment on.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_TOKEN

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
ip=$(srun --nodes=1 --ntasks=1 -w "$head" hostname --ip-address | awk '{print $1}')
port=$((20000 + SLURM_JOB_ID % 20000))         # two jobs may share a node
ray=(ray start --block --disable-usage-stats "--num-cpus=$SLURM_CPUS_PER_TASK" "--num-gpus=${SLURM_GPUS_ON_NODE:-0}")

srun --overlap --nodes=1 --ntasks=1 -w "$head" \
    "${ray[@]}" --head --node-ip-address="$ip" --port="$port" --include-dashboard=false &
for _ in $(seq 120); do
    (echo > "/dev/tcp/$ip/$port") 2> /dev/null && break
    sleep 1
done
for node in "${nodes[@]:1}"; do
    srun --overlap --nodes=1 --ntasks=1 -w "$node" "${ray[@]}" --address="$ip:$port" &
done
sleep 30                                       # how many trials run at a time is shown once: wait for the nodes

# The driver runs beside this script, on the first node, so that SLURM's warning reaches it and not Ray's nodes.
python bench.py run "${@:-papers}" --address "$ip:$port" --data "$SHARED/data" --out "$SHARED/runs" \
    --gpus-per-trial "$GPUS_PER_TRIAL" --cpus-per-trial "$CPUS_PER_TRIAL" &
driver=$!
trap 'kill -TERM "$driver"; wait "$driver"; exit $?' TERM
wait "$driver"
# Ray's nodes end with the job.
