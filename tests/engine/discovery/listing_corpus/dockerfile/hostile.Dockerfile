FROM user:secret-word@nvcr.io/nvidia/cuda:1
FROM {{ base_image }}
FROM $(cat base)
FROM [31mred
